package cluster

import (
	"net/url"
	"sync"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

// tenant is what tells one ACME account from another: for the CA an account is one
// tenant, so that what one Issuer has proved, every other of the account can use.
// It is the account's URI, or where its key is: that is known before the account
// is registered, and while its URI is changing.
type tenant string

// tenants of an Issuer; none for one that is not of the type ACME.
func (c Config) tenants(ref IssuerRef, i issuer) (list []tenant) {
	if i.acme == nil {
		return nil
	}
	if i.account != "" {
		list = append(list, tenant(i.account))
	}
	namespace := ref.Namespace
	if ref.Kind == kindClusterIssuer {
		namespace = c.Namespace
	}
	host := i.acme.Server
	if u, err := url.Parse(i.acme.Server); err == nil {
		host = u.Host
	}
	return append(list, tenant("key "+namespace+"/"+i.acme.PrivateKey.Name+" at "+host))
}

// tenants remembers the accounts of the ClusterIssuers that use us, as long as
// this process runs: what has been proved under an account stays proved at the CA
// when its ClusterIssuer is deleted, made again or given another account. The zero
// value is empty.
type tenants struct {
	mu    sync.Mutex
	known map[tenant]bool
}

// note remembers the accounts of an object, if it is such a ClusterIssuer.
func (t *tenants) note(c Config, o any) {
	i, ok := o.(*cmv1.ClusterIssuer)
	if !ok || !c.Strict || !c.uses(issuerOf(i)) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[tenant]bool{}
	}
	for _, a := range c.tenants(IssuerRef{Kind: kindClusterIssuer, Name: i.Name}, issuerOf(i)) {
		t.known[a] = true
	}
}

// any reports whether it knows one of a list.
func (t *tenants) any(list []tenant) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range list {
		if t.known[a] {
			return true
		}
	}
	return false
}

func (t *tenants) empty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.known) == 0
}
