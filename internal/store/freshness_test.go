package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
)

// at is a time in a table: seconds since the copy began to follow.
type at float64

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func (a at) time() time.Time { return start.Add(time.Duration(float64(a) * float64(time.Second))) }

// event is something that happens to a freshness, at a moment.
type event struct {
	at   at
	what func(f *freshness, now time.Time)
}

var name = uuid.MustParse("01917426-a1cd-547e-bc8e-ca4d7b697e62")

// What the loops report, as words for the tables.
func subscribed(a at) event   { return event{a, (*freshness).subscribed} }
func unsubscribed(a at) event { return event{a, (*freshness).unsubscribed} }
func heard(a at) event        { return event{a, (*freshness).heard} }
func changed(a at) event      { return event{a, func(f *freshness, _ time.Time) { f.changed(name) }} }
func take(a at) event         { return event{a, func(f *freshness, now time.Time) { f.take(now, batch) }} }
func read(a at) event         { return event{a, func(f *freshness, _ time.Time) { f.read(true) }} }
func unread(a at) event       { return event{a, func(f *freshness, _ time.Time) { f.read(false) }} }
func scanBegan(a at) event    { return event{a, (*freshness).scanBegan} }
func scanned(a at) event {
	return event{a, func(f *freshness, now time.Time) { f.scanned(now, true) }}
}
func scanFailed(a at) event {
	return event{a, func(f *freshness, now time.Time) { f.scanned(now, false) }}
}

// saw has the store ID, and if there is more the server's run_id and replication ID.
func saw(a at, id ...string) event {
	id = append(id, "", "")
	return event{a, func(f *freshness, now time.Time) { f.saw(identity{id[0], id[1], id[2]}, now) }}
}

// restart is a server that was not seen before.
func restart(a at) event { return saw(a, "a", fmt.Sprint(a), fmt.Sprint(a)) }

// announced is a heartbeat that was sent and arrived 0.1 s later.
func announced(sent at) event {
	return event{sent + 0.1, func(f *freshness, now time.Time) { f.announced(sent.time(), now) }}
}

// every repeats an event from one moment to another.
func every(e func(at) event, from, to, step at) (events []event) {
	for a := from; a <= to; a += step {
		events = append(events, e(a))
	}
	return events
}

func then(parts ...any) (events []event) {
	for _, p := range parts {
		switch p := p.(type) {
		case event:
			events = append(events, p)
		case []event:
			events = append(events, p...)
		}
	}
	return events
}

// began is a copy that subscribed, read everything and is fresh as of 0.2 s.
var began = then(saw(0.1, "a"), subscribed(0.1), scanBegan(0.2), scanned(0.3))

type question func(f *freshness, now time.Time) bool

var freshnessCases = []struct {
	name   string
	ask    question
	events []event
	yes    []at // when the answer is yes
	no     []at
}{
	// The copy has read everything, and hears of changes.
	{"nothing happened", (*freshness).Fresh, nil, nil, []at{0, 1, 100}},
	{"subscribed, nothing read", (*freshness).Fresh, then(subscribed(0.1)), nil, []at{0.2, 3}},
	{"only heard", (*freshness).Fresh, then(subscribed(0.1), every(heard, 1, 20, 1)), nil, []at{1, 20}},
	{"a full read is under way", (*freshness).Fresh, then(subscribed(0.1), scanBegan(0.2)), nil, []at{0.3, 2}},
	{"the first full read failed", (*freshness).Fresh, then(subscribed(0.1), scanBegan(0.2), scanFailed(0.3)), nil, []at{0.4}},
	{"everything is read", (*freshness).Fresh, began, []at{0.3, 1, 4.2}, []at{4.3, 60}},
	{"a slow full read counts from its beginning", (*freshness).Fresh, then(subscribed(0), scanBegan(0.1), scanned(5)), nil, []at{5, 6}},
	{"a slow full read, then heard", (*freshness).Fresh, then(subscribed(0), scanBegan(0.1), scanned(5), heard(5.5)), []at{5.5, 9.5}, []at{9.6}},
	{"heard again and again", (*freshness).Fresh, then(began, every(heard, 1, 30, 1)), []at{30, 34}, []at{34.1}},
	{"a later full read fails", (*freshness).Fresh, then(began, every(heard, 1, 30, 1), scanBegan(30.1), scanFailed(30.2), heard(31)), []at{35}, []at{35.1}},
	{"time goes backwards in what is reported", (*freshness).Fresh, then(began, heard(3), heard(2)), []at{7}, []at{7.1}},

	// Changes that are not read yet.
	{"a change is not read", (*freshness).Fresh, then(began, changed(1), every(heard, 1, 10, 1)), []at{1, 4.2}, []at{4.3, 10}},
	{"a change is being read", (*freshness).Fresh, then(began, changed(1), take(1), every(heard, 2, 10, 1)), []at{4.2}, []at{4.3, 10}},
	{"a change is read, as of when it was taken", (*freshness).Fresh, then(began, changed(1), take(1), read(3)), []at{5}, []at{5.1}},
	{"a change is read, and heard", (*freshness).Fresh, then(began, changed(1), take(1), read(1.1), heard(2)), []at{6}, []at{6.1}},
	{"a change cannot be read", (*freshness).Fresh, then(began, changed(1), take(1), unread(2), every(heard, 2, 10, 1)), []at{4.2}, []at{4.3, 10}},
	{"a change cannot be read, then it can", (*freshness).Fresh, then(began, changed(1), take(1), unread(8), take(9), read(9.1)), []at{9.1, 13}, []at{13.1}},
	{"another change comes while one is read", (*freshness).Fresh, then(began, changed(1), take(1), changed(1.5), read(2), heard(3)), []at{5}, []at{5.1}},
	{"changes are read in parts", (*freshness).Fresh, then(began, event{1, func(f *freshness, now time.Time) {
		f.changed(name, uuid.UUID{1})
		f.take(now, 1)
		f.read(true)
	}}, heard(2)), []at{4.2}, []at{4.3}},

	// The subscription ends, and begins again.
	{"unsubscribed", (*freshness).Fresh, then(began, heard(3), unsubscribed(3.5)), []at{7}, []at{7.1}},
	{"unsubscribed, changes read do not help", (*freshness).Fresh, then(began, changed(1), unsubscribed(2), take(3), read(3.1)), []at{4.2}, []at{4.3}},
	{"unsubscribed, but everything is read again and again", (*freshness).Fresh, then(began, unsubscribed(2), scanBegan(4), scanned(4.1), scanBegan(6), scanned(6.1)), []at{10}, []at{10.1}},
	{"subscribed again, not read", (*freshness).Fresh, then(began, unsubscribed(1), subscribed(2), every(heard, 2, 10, 1)), []at{4.2}, []at{4.3, 10}},
	{"subscribed again, read", (*freshness).Fresh, then(began, unsubscribed(1), subscribed(2), scanBegan(2.1), scanned(2.2), heard(5)), []at{9}, []at{9.1}},
	{"subscribed during a full read", (*freshness).Fresh, then(scanBegan(0.1), subscribed(0.2), scanned(0.3), every(heard, 1, 10, 1)), []at{0.3, 4.1}, []at{4.2, 10}},
	{"subscribed anew during a full read", (*freshness).Fresh, then(subscribed(0), scanBegan(0.1), unsubscribed(0.2), subscribed(0.3), scanned(0.4), every(heard, 1, 10, 1)), []at{4.1}, []at{4.2, 10}},
	{"a second Follow knows nothing of the first", (*freshness).Fresh, then(began, event{1, (*freshness).followed}), nil, []at{1.1}},

	// The lease.
	{"never announced, no lease to lose", (*freshness).Fresh, then(began, every(heard, 1, 60, 1)), []at{60}, nil},
	{"announced again and again", (*freshness).Fresh, then(began, every(heard, 1, 60, 1), every(announced, 1, 60, 2)), []at{60}, nil},
	{"heartbeats stop", (*freshness).Fresh, then(began, announced(1), every(heard, 1, 60, 1)), []at{7}, []at{7.1, 60}},
	{"one heartbeat is lost", (*freshness).Fresh, then(began, every(announced, 1, 60, 4), every(heard, 1, 60, 1)), []at{60}, nil},
	{"a heartbeat after a gap does not help alone", (*freshness).Fresh, then(began, announced(1), every(heard, 1, 9, 1), announced(9)), nil, []at{9.1, 9.5}},
	{"a heartbeat after a gap, then heard", (*freshness).Fresh, then(began, announced(1), every(heard, 1, 9, 1), announced(9), heard(9.2), every(announced, 11, 13, 2)), []at{9.2, 13.2}, []at{13.3}},
	{"a heartbeat after a gap, and a full read from before", (*freshness).Fresh, then(subscribed(0), scanBegan(0.1), scanned(0.2), announced(1), scanBegan(9), announced(9.1), scanned(9.3)), nil, []at{9.3}},
	{"a heartbeat that took long counts from when it was sent", (*freshness).Fresh, then(began, every(heard, 1, 20, 1), event{5, func(f *freshness, now time.Time) { f.announced(at(2).time(), now) }}), []at{8}, []at{8.1}},

	// Which full reads are due.
	{"the first waits for the subscription", (*freshness).ScanDue, nil, []at{2, 3}, []at{0, 1.9}},
	{"subscribed", (*freshness).ScanDue, then(subscribed(0.1)), []at{0.1}, nil},
	{"under way", (*freshness).ScanDue, then(subscribed(0.1), scanBegan(0.2)), nil, []at{0.3}},
	{"failed", (*freshness).ScanDue, then(subscribed(0.1), scanBegan(0.2), scanFailed(0.3)), []at{0.3, 100}, nil},
	{"read, and subscribed", (*freshness).ScanDue, began, []at{60.3}, []at{0.3, 60}},
	{"read, not subscribed", (*freshness).ScanDue, then(began, unsubscribed(1)), []at{2.2}, []at{1, 2.1}},
	{"subscribed anew during one", (*freshness).ScanDue, then(began, scanBegan(1), subscribed(1.1), scanned(1.2)), []at{1.2}, nil},
	{"a loss", (*freshness).ScanDue, then(began, saw(1, "b"), scanBegan(1), scanned(1.1)), []at{11, 12}, []at{2, 10.9}},
	{"a loss is over", (*freshness).ScanDue, then(began, saw(1, "b"), scanBegan(11), scanned(11.1)), nil, []at{11.2, 20}},
	{"a loss noticed during one", (*freshness).ScanDue, then(began, scanBegan(1), saw(1.5, "b"), scanned(2)), []at{11.5}, []at{2, 11.4}},

	// Losses.
	{"nothing was ever seen", (*freshness).Keep, nil, nil, []at{0, 1}},
	{"the first identity is no loss", (*freshness).Keep, then(saw(1, "a")), nil, []at{1, 2}},
	{"the same again is no loss", (*freshness).Keep, then(saw(1, "a"), saw(2, "a")), nil, []at{2}},
	{"another one is", (*freshness).Keep, then(saw(1, "a"), saw(2, "b")), []at{2, 11.9}, []at{12, 60}},
	{"none is", (*freshness).Keep, then(saw(1, "a"), saw(2, "")), []at{2, 11.9}, []at{12}},
	{"one after none is no second loss", (*freshness).Keep, then(saw(1, "a"), saw(2, ""), saw(9, "b")), []at{11.9}, []at{12}},
	{"a second loss", (*freshness).Keep, then(saw(1, "a"), saw(2, "b"), saw(9, "c")), []at{12, 18.9}, []at{19}},
	{"the same server", (*freshness).Keep, then(saw(1, "a", "p", "r"), saw(2, "a", "p", "r")), nil, []at{2}},
	{"the server has restarted", (*freshness).Keep, then(saw(1, "a", "p", "r"), saw(2, "a", "q", "s")), []at{2, 11.9}, []at{12}},
	{"the server's data is another master's", (*freshness).Keep, then(saw(1, "a", "p", "r"), saw(2, "a", "p", "s")), []at{2}, []at{12}},
	{"the server tells its identity now", (*freshness).Keep, then(saw(1, "a"), saw(2, "a", "p", "r")), nil, []at{2}},
	{"the server does not tell it any more", (*freshness).Keep, then(saw(1, "a", "p", "r"), saw(2, "a")), nil, []at{2}},
	{"the server did not tell it meanwhile", (*freshness).Keep, then(saw(1, "a", "p", "r"), saw(2, "a"), saw(3, "a", "q", "s")), []at{3}, []at{13}},
	{"the server restarts now and then", (*freshness).Keep, then(saw(1, "a", "0", "0"), every(restart, 2, 200, 11)), []at{200}, nil},
	{"two servers by turns are no loss", (*freshness).Keep, then(saw(1, "a", "0", "0"), every(restart, 2, 60, 1)), nil, []at{60}},
	{"two servers by turns, and a loss", (*freshness).Keep, then(saw(1, "a", "0", "0"), every(restart, 2, 60, 1), saw(61, "b", "0", "0")), []at{61}, nil},
	{"replicas after a restart", (*freshness).ReplicasKnown, then(saw(1, "a", "p", "r"), saw(2, "a", "q", "s")), []at{9}, []at{2, 8.9}},
	{"a second Follow keeps too", (*freshness).Keep, then(saw(1, "a"), saw(2, "b"), event{3, (*freshness).followed}), []at{3}, []at{12}},
	{"replicas are known from the start", (*freshness).ReplicasKnown, then(saw(1, "a")), []at{0, 1, 2}, nil},
	{"replicas after a loss", (*freshness).ReplicasKnown, then(saw(1, "a"), saw(2, "b")), []at{9}, []at{2, 8.9}},
	{"a loss does not make a copy stale", (*freshness).Fresh, then(began, saw(1, "b"), heard(2)), []at{6}, []at{6.1}},
}

func TestFreshness(t *testing.T) {
	for _, tc := range freshnessCases {
		t.Run(tc.name, func(t *testing.T) {
			for _, moments := range []struct {
				at   []at
				want bool
			}{{tc.yes, true}, {tc.no, false}} {
				for _, moment := range moments.at {
					var f freshness
					f.followed(start)
					for _, e := range tc.events {
						e.what(&f, e.at.time())
					}
					if got := tc.ask(&f, moment.time()); got != moments.want {
						t.Errorf("after %v s: %v, want %v", moment, got, moments.want)
					}
				}
			}
		})
	}
}
