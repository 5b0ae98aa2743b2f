package store

import "time"

// The times that have to fit each other. The lines below the constants do not
// compile when one of the inequalities is broken; docs/reliability.md says what
// follows from them for users.
const (
	// HeartbeatInterval is how often a replica calls Announce.
	HeartbeatInterval = 2 * time.Second

	// HeartbeatLifetime is how long a replica counts as live after that: how long
	// the others wait for one that is out of reach.
	HeartbeatLifetime = 7 * time.Second

	// leaseLifetime is how long after a heartbeat a replica relies on the others to
	// wait for it, by its own clock from before the heartbeat was sent.
	leaseLifetime = HeartbeatLifetime - time.Second

	// freshFor is how long a copy stays fresh without hearing from Redis.
	freshFor = 4 * time.Second

	// freshCheck is how often a copy is told whether it is fresh.
	freshCheck = 100 * time.Millisecond

	pingInterval   = time.Second     // of silence, after which the subscription is pinged, and given up after as much again
	deafInterval   = 2 * time.Second // between full reads while there is no subscription
	resyncInterval = time.Minute     // between full reads while there is one

	// announcedAgain is how long after a loss the list of replicas may be incomplete:
	// until all that live have announced themselves again.
	announcedAgain = HeartbeatLifetime

	// restoreTime is how long after a loss the copy keeps what Redis no longer has,
	// so that the watch can put it back from the Challenges.
	restoreTime = 10 * time.Second

	// When the server has become another one maxChanges times in changesTime, that
	// does not count as a loss any more.
	maxChanges  = 6
	changesTime = time.Minute
)

const (
	// A replica stops saying NODATA before the others stop waiting for it, whether its
	// heartbeats fail or it hears nothing: its last heartbeat may be HeartbeatInterval old then.
	_ = uint64(HeartbeatLifetime - leaseLifetime - freshCheck)
	_ = uint64(HeartbeatLifetime - HeartbeatInterval - freshFor - freshCheck)
	// One lost heartbeat does not end the lease.
	_ = uint64(leaseLifetime - 2*HeartbeatInterval - replyTimeout)
	// A subscription on which nothing happens keeps the copy fresh, also after one lost
	// ping; so do full reads while there is no subscription.
	_ = uint64(freshFor - 2*pingInterval - replyTimeout)
	_ = uint64(freshFor - deafInterval - replyTimeout)
	// After a loss nobody believes the list of replicas while one that lost its heartbeat
	// still relies on it; and values are kept until they can have been presented to all again.
	_ = uint64(announcedAgain - leaseLifetime - freshCheck)
	_ = uint64(restoreTime - announcedAgain - 2*time.Second)
)
