package zone

import "github.com/google/uuid"

// Change leads from one version of the zone's values to the next. Versions are told
// apart by their serials (RFC 1035 section 3.3.13).
type Change struct {
	From, To uint32
	Names    []NameChange // each name once; none where only the serial rose
}

// NameChange is what a Change does to the values of one name.
type NameChange struct {
	ID             uuid.UUID
	Removed, Added []string // sorted; not both empty
}

// SerialLess reports whether serial a is before b (RFC 1982 section 3.2). It is false
// for two that are equal, or as far from each other as can be.
func SerialLess(a, b uint32) bool { return a != b && b-a < 1<<31 }
