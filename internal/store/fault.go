package store

import (
	"crypto/tls"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// ErrDenied is what an error of Redis is (errors.Is) when user, password, rights or
// certificates are wrong: this is not an outage, and retrying does not help.
var ErrDenied = errors.New("Redis refuses this replica") //nolint:staticcheck // a name begins the sentence

// errPasswordFile is what an error is when there is no password to send.
var errPasswordFile = errors.New("redis password file")

// Explain returns what is wrong and what to do, in a sentence for people that stays
// the same while the cause does. It is empty when Redis could not be reached, or when
// err does not come from it.
func Explain(err error) string {
	var e *callError
	if !errors.As(err, &e) || e.fault == &unreachable {
		return ""
	}
	return e.fault.cause + "; " + e.fault.hint
}

// fault is a kind of error: why a call failed, and what to do.
type fault struct {
	cause, hint string
	denied      bool
	prefixes    []string // of what Redis answers
}

var (
	unreachable = fault{cause: "Redis cannot be reached", hint: "look whether it runs, at the address in --redis-url, and at the NetworkPolicy"}
	answered    = fault{cause: "Redis answers with an error", hint: "err has its text"}

	noPassword = fault{
		cause: "the password file of Redis cannot be read", denied: true,
		hint: "look at the file that is given, and at the Secret that it comes from",
	}
	badCertificate = fault{
		cause: "the certificate of Redis is not valid here", denied: true,
		hint: "look at the CA file, at the certificate's names and its end; when its name is not the host in --redis-url, write the name as tls_server_name= there",
	}
	noTLS = fault{
		cause: "Redis does not speak TLS at this port", denied: true,
		hint: "write redis:// instead of rediss://, or the port for TLS",
	}

	movingSlot = fault{
		cause:    "the Redis Cluster is moving the zone's slot",
		hint:     "wait until that has ended; redis-cli --cluster check shows a move that has stopped half-way",
		prefixes: []string{"MOVED", "ASK", "TRYAGAIN"},
	}

	// What Redis answers.
	answers = []fault{
		movingSlot,
		{
			cause: "Redis refuses the user or password", denied: true,
			hint:     "look at the user and password given to Signpost, and whether Redis wants one",
			prefixes: []string{"NOAUTH", "WRONGPASS", "invalid password", "AUTH ", "Client sent AUTH"},
		}, {
			cause: "the Redis user lacks a right", denied: true,
			hint:     "err names the command or key; give the user the rights that docs/reliability.md lists",
			prefixes: []string{"NOPERM"},
		}, {
			cause:    "Redis is read-only: it is a replica",
			hint:     "connect to the master, or through Sentinel or as a Cluster, which find it",
			prefixes: []string{"READONLY"},
		}, {
			cause:    "Redis has no memory left",
			hint:     "raise its maxmemory, or remove what else is in it",
			prefixes: []string{"OOM"},
		}, {
			cause:    "Redis is still loading its data",
			hint:     "wait; nothing is wrong unless this stays",
			prefixes: []string{"LOADING"},
		}, {
			cause:    "Redis has fewer replicas than its min-replicas-to-write",
			hint:     "look at its replicas; it takes writes again when they are connected",
			prefixes: []string{"NOREPLICAS"},
		}, {
			cause:    "Redis cannot save to its disk",
			hint:     "look at the log and the disk of Redis",
			prefixes: []string{"MISCONF"},
		}, {
			cause:    "the Redis Cluster or its master is down",
			hint:     "look at its nodes",
			prefixes: []string{"CLUSTERDOWN", "MASTERDOWN"},
		}, {
			cause:    "Redis does not have a command that Signpost needs",
			hint:     "Redis 6.0 or Valkey is needed, with the commands that docs/reliability.md lists",
			prefixes: []string{"unknown command", "unknown subcommand", "syntax error", "wrong number of arguments", "value is not an integer", "This instance has cluster support disabled"},
		}, {
			cause:    "a key of Signpost's in Redis has another type",
			hint:     "remove the keys below signpost: that are not Signpost's, or use another database",
			prefixes: []string{"WRONGTYPE"},
		},
	}
)

// faultOf returns what kind of error err is.
func faultOf(err error) *fault {
	if errors.Is(err, errMoving) {
		return &movingSlot
	}
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errPasswordFile):
		return &noPassword
	case errors.As(err, &verify):
		return &badCertificate
	case errors.As(err, &record):
		return &noTLS
	}
	for i := range answers {
		if slices.ContainsFunc(answers[i].prefixes, func(p string) bool { return redis.HasErrorPrefix(err, p) }) {
			return &answers[i]
		}
	}
	var answer redis.Error
	if errors.As(err, &answer) {
		return &answered
	}
	return &unreachable
}
