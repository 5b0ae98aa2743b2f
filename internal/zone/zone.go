// Package zone holds the names of Signpost: the zone it is authoritative for,
// its nameservers, and the target name that belongs to a domain. It is pure:
// no network, no clock, no configuration beyond its arguments.
package zone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// targetLabelLen is the length of a target's first label, a UUID in its
// 8-4-4-4-12 form (RFC 9562 section 4), plus the dot behind it.
const targetLabelLen = 36 + 1

// Zone is the zone that Signpost is authoritative for.
type Zone struct {
	origin    string
	namespace uuid.UUID
}

// New returns the zone with the given origin, for example "acme.example.com".
// Letters of either case, Unicode and a final dot are accepted. An origin that
// is not a host name, or that leaves no room for a target name, is an error.
func New(origin string) (*Zone, error) {
	name, err := canonical(origin)
	if err != nil {
		return nil, fmt.Errorf("zone %q: %w", origin, err)
	}
	if !strings.Contains(name, ".") {
		return nil, fmt.Errorf("zone %q: needs at least two labels, for example acme.example.com", origin)
	}
	if len(name) > maxNameLen-targetLabelLen {
		return nil, fmt.Errorf("zone %q: longer than %d characters, which leaves no room for the target names below it",
			origin, maxNameLen-targetLabelLen)
	}
	return &Zone{origin: name, namespace: uuid.NewSHA1(uuid.NameSpaceDNS, []byte(name))}, nil
}

// Origin returns the zone's name in lower-case A-labels without a final dot.
func (z *Zone) Origin() string { return z.origin }

// Contains reports whether name, in lower-case without a final dot, is the
// zone's origin or below it.
func (z *Zone) Contains(name string) bool {
	return name == z.origin || strings.HasSuffix(name, "."+z.origin)
}

// ParseID returns the UUID in label, which must be in the 8-4-4-4-12 form with
// letters of either case.
func ParseID[T string | []byte](label T) (id uuid.UUID, ok bool) {
	if len(label) != 36 {
		return id, false
	}
	n := 0
	for i := 0; i < 36; {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if label[i] != '-' {
				return id, false
			}
			i++
			continue
		}
		hi, lo := unhex(label[i]), unhex(label[i+1])
		if hi > 15 || lo > 15 {
			return id, false
		}
		id[n] = hi<<4 | lo
		n++
		i += 2
	}
	return id, true
}

// unhex returns the value of a hexadecimal digit, more than 15 for any other octet.
// By a table: the digits are random, and branches would be mispredicted.
func unhex(c byte) byte { return hexValues[c] }

var hexValues = func() (values [256]byte) {
	for i := range values {
		values[i] = 0xff
	}
	for i := range byte(10) {
		values['0'+i] = i
	}
	for i := range byte(6) {
		values['a'+i], values['A'+i] = 10+i, 10+i
	}
	return values
}()

var (
	errEmpty = errors.New("is empty")
	errLong  = fmt.Errorf("is longer than %d characters", maxNameLen)
)
