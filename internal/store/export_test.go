package store

import "time"

// LimitTotal lowers how many values s takes in all.
func LimitTotal(s Store, n int) {
	switch s := s.(type) {
	case *Memory:
		s.limits.total = n
	case *Redis:
		s.limits.total = n
	}
}

// Causes returns every cause of an error that the log can give.
func Causes() (causes []string) {
	for _, f := range append([]fault{unreachable, answered, noPassword, badCertificate, noTLS}, answers...) {
		causes = append(causes, f.cause)
	}
	return causes
}

// Hurry has r show a version of a young store at once, and read everything often.
func Hurry(r *Redis) { r.settle, r.rescan = 0, 100*time.Millisecond }
