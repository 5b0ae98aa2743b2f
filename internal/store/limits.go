package store

import (
	"errors"
	"fmt"
)

// What a store takes. Values that are there already can always be added again.
const (
	// MaxValueSize is how many octets a value may have: what one character-string
	// of a TXT record takes. The values of ACME have 43.
	MaxValueSize = 255

	// MaxValues is how many values there may be under one name; two at once are
	// usual. An answer with as many of the largest fits a DNS message.
	MaxValues = 100

	// MaxTotal is how many values there may be in all. When several replicas add at
	// the same moment, a few more may get in.
	MaxTotal = 100_000
)

// ErrLimit is what an error of Add is (errors.Is) when the value is too large or
// there are too many already. The error's text stays the same and is for people.
var ErrLimit = errors.New("the records are full")

type limitError string

func (e limitError) Error() string        { return string(e) }
func (e limitError) Is(target error) bool { return target == ErrLimit }

// limits can be lowered by tests.
type limits struct{ total int }

// check returns why value cannot be added to a name that has n values, where
// there are total in all.
func (l limits) check(value string, n, total int) error {
	switch {
	case len(value) > MaxValueSize:
		return limitError(fmt.Sprintf("the challenge's value is longer than the %d octets that a record takes; values of ACME have 43", MaxValueSize))
	case n >= MaxValues:
		return limitError(fmt.Sprintf("the name has %d values already, which is the most it can have; delete Challenges for it that nobody needs", MaxValues))
	case total >= l.total:
		return limitError(fmt.Sprintf("there are %d values in all already, which is the most there can be; delete Challenges that nobody needs", l.total))
	}
	return nil
}
