package store

// LimitTotal lowers how many values s takes in all.
func LimitTotal(s Store, n int) {
	switch s := s.(type) {
	case *Memory:
		s.limits.total = n
	case *Redis:
		s.limits.total = n
	}
}
