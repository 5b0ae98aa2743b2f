package zone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Errors of Target, beside those that say what is wrong with a name.
var (
	// ErrPublicSuffix says that a domain belongs to no one owner.
	ErrPublicSuffix = errors.New("is a public suffix, below which anybody can register; use a domain of your own below it")
	// ErrOwnZone says that a domain is inside the zone that Signpost serves.
	ErrOwnZone = errors.New("is inside the zone that Signpost itself serves, and cannot have a CNAME there; use a domain outside it")
)

// Target is where a domain's CNAME has to point for the Issuers of one scope.
// Names in it are lower-case A-labels without a final dot.
type Target struct {
	Scope     string    // the namespace that it belongs to
	Domain    string    // without "*."
	Challenge string    // _acme-challenge.<domain>, where the CNAME has to be (RFC 8555 section 8.4)
	Name      string    // the target itself, <ID>.<zone>
	ID        uuid.UUID // under which the domain's values are kept
}

// Target returns the target of a domain in a scope. Its ID is
// uuidv5(uuidv5(DNS, zone), scope + "/" + domain), RFC 9562 section 5.5. Scope is
// the namespace that a ChallengeRequest calls its resourceNamespace. A domain and
// its wildcard share one target. The error says what is wrong with the scope or
// the domain; for a domain that no owner can have it is ErrPublicSuffix or
// ErrOwnZone (errors.Is).
func (z *Zone) Target(scope, domain string) (Target, error) {
	if !isNamespace(scope) {
		return Target{}, fmt.Errorf("namespace %q: not the name of a Kubernetes namespace", scope)
	}
	name, err := Domain(domain)
	switch {
	case err != nil:
		return Target{}, err
	case z.Contains(name):
		return Target{}, fmt.Errorf("domain %q: %w", domain, ErrOwnZone)
	case IsPublicSuffix(name):
		return Target{}, fmt.Errorf("domain %q: %w", domain, ErrPublicSuffix)
	}
	id := uuid.NewSHA1(z.namespace, []byte(scope+"/"+name))
	return Target{Scope: scope, Domain: name, Challenge: ChallengeName(name), Name: z.Name(id), ID: id}, nil
}

// Name returns the target with that ID, without a final dot.
func (z *Zone) Name(id uuid.UUID) string { return id.String() + "." + z.origin }

// Record returns the CNAME that the domain's owner has to add.
func (t Target) Record() Record {
	return Record{Name: t.Challenge, Type: "CNAME", Value: t.Name,
		Why: fmt.Sprintf("lets Issuers in namespace %s get certificates for %s and *.%s", t.Scope, Unicode(t.Domain), Unicode(t.Domain))}
}

// IsTarget reports whether name, in lower case without a final dot, is a target
// in the zone, of any scope and domain.
func (z *Zone) IsTarget(name string) bool {
	label, rest, _ := strings.Cut(name, ".")
	_, ok := ParseID(label)
	return ok && rest == z.origin
}

// isNamespace reports whether s can be a Kubernetes namespace: an RFC 1123
// label. The slash that separates scope from domain can never be part of it.
func isNamespace(s string) bool {
	if len(s) == 0 || len(s) > maxLabelLen || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
