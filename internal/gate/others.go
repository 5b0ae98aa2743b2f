package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// NewOthers returns Looks for names that other solvers than ours validate: what
// cert-manager has under way for a name holds it in the whole cluster, so that a
// solver that never answers would keep its owner from a certificate. They permit
// everything but a CNAME into our zone that is for another scope.
func NewOthers(look Look, changed Changed, shared Shared) *Looks {
	return NewLooks(func(ctx context.Context, scope, domain string) check.Finding {
		f := look(ctx, scope, domain)
		if !f.OtherScope() {
			return check.Finding{Check: f.Check, Subject: f.Subject, Status: check.OK}
		}
		f.Hint = fmt.Sprintf("Request the certificate for %s in the namespace that %s is for, or have its owner change that CNAME: for namespace %s another solver may not hold the name.",
			zone.Unicode(domain), f.Subject, scope)
		return f
	}, changed, apart{shared})
}

// apart keeps what is vouched for here from counting as an owner's record.
type apart struct{ Shared }

func (a apart) Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error {
	return a.Shared.Vouch(ctx, apartID(id), lifetime)
}

func (a apart) Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error) {
	list := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		list[i] = apartID(id)
	}
	return a.Shared.Vouched(ctx, list)
}

func apartID(id uuid.UUID) uuid.UUID { return uuid.NewSHA1(id, []byte("no other scope's")) }
