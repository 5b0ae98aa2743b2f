// Package status collects what is known about the installation for people: the
// domains of all Certificates with what the DNS says about them, our replicas and
// the store. The result is a Snapshot, which internal/web shows. It asks the
// cluster, the store and the DNS through the interfaces in collector.go, and may
// import zone, check, cluster and store. Its proof is in its own tests, and in the
// browser test.
package status

import (
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Snapshot is what the page and its JSON show. There is no secret in it.
type Snapshot struct {
	At        time.Time       `json:"at"` // of the look at the cluster and the store
	Version   string          `json:"version"`
	Zone      string          `json:"zone"`
	Group     string          `json:"groupName"`               // as Issuers name the webhook
	Namespace string          `json:"clusterNamespace"`        // the scope of ClusterIssuers, unless Strict
	Strict    bool            `json:"strictNamespaces"`        // the scope is always the Certificate's own namespace
	Records   []zone.Record   `json:"records"`                 // what delegates the zone to us
	Server    []check.Finding `json:"server"`                  // whether the world sees that; empty while the first check runs
	Doubt     *Doubt          `json:"serverUnknown,omitempty"` // while Server could not be told
	Domains   []Domain        `json:"domains"`                 // of every Certificate that uses us, sorted
	Replicas  []Replica       `json:"replicas"`
	Store     StoreState      `json:"store"`

	// Cluster is why domains cannot be told from Kubernetes, empty if they can.
	Cluster string `json:"cluster,omitempty"`
}

// Domain is a name that a certificate is wanted for, without "*.", in one scope.
type Domain struct {
	Name         string          `json:"name"`               // A-labels
	Unicode      string          `json:"unicode,omitempty"`  // where it differs
	Scope        string          `json:"scope"`              // the namespace in its target
	Record       zone.Record     `json:"record"`             // the CNAME to add
	Checks       []check.Finding `json:"checks"`             // empty until it was looked up
	CheckedAt    time.Time       `json:"checkedAt,omitzero"` // when it was looked up last, or was the same still; zero before the first time
	Doubt        *Doubt          `json:"unknown,omitempty"`  // while Checks could not tell
	Certificates []Certificate   `json:"certificates"`
	Challenges   []Challenge     `json:"challenges"` // under way
	Requests     []Request       `json:"requests"`   // whose Order waits at the gate
	History      []Past          `json:"history"`    // the last challenges, the latest first

	// CA and Account are who issues for it, as CAA records name them (RFC 8657); empty if
	// that is not known, or if its Certificates have several.
	CA      string `json:"ca,omitempty"`
	Account string `json:"account,omitempty"`

	id uuid.UUID // of its target
}

// Request is a certificate request that cert-manager has no Order for, because a
// record is not there or because its Order can never be let through.
type Request struct {
	Namespace string    `json:"namespace,omitempty"` // none for a CertificateSigningRequest
	Name      string    `json:"name"`
	Since     time.Time `json:"since"`
	Refused   string    `json:"refused,omitempty"` // why it can never be let through

	Certificate string `json:"certificate,omitempty"` // that it is for; none if somebody made it by hand
}

// Certificate is what Kubernetes says about one.
type Certificate struct {
	Namespace   string     `json:"namespace"`
	Name        string     `json:"name"`
	Secret      string     `json:"secret"`
	DNSNames    []string   `json:"dnsNames"`
	Issuer      string     `json:"issuer"` // kind/name
	Ready       bool       `json:"ready"`
	Reason      string     `json:"reason,omitempty"` // cert-manager's words, when it is not ready
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	RenewalTime *time.Time `json:"renewalTime,omitempty"`
	Forecast    Forecast   `json:"forecast"` // see Foresee
}

// Challenge is one that is under way.
type Challenge struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	DNSName   string    `json:"dnsName"` // with "*." if it is for the wildcard
	Since     time.Time `json:"since"`
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	HeldBy    string    `json:"heldBy,omitempty"` // namespace/name of the Challenge that cert-manager works on instead
	Presented bool      `json:"presented"`
	Asked     Asked     `json:"asked"`
}

// Asked is how often a target name was asked for, over all replicas.
type Asked struct {
	Answered uint64   `json:"answered"` // TXT queries that got values
	Networks []string `json:"networks"` // prefixes of the askers, /24 and /48, sorted; the first few
}

// Replica is one of our DNS servers.
type Replica struct {
	Address string `json:"address"`
	Self    bool   `json:"self"` // the one that shows this page

	// Primary is whether secondaries transfer the zone from it; Others whether their
	// settings are other ones than those of the replica that shows this page.
	Primary bool `json:"primary"`
	Others  bool `json:"otherSecondaries,omitempty"`
}

// StoreState is the state of the store.
type StoreState struct {
	Kind   string `json:"kind"` // redis or memory
	OK     bool   `json:"ok"`
	Text   string `json:"text,omitempty"` // what is wrong
	Names  int    `json:"names"`          // that have values, in this replica's copy
	Synced bool   `json:"synced"`
}

// Failed reports whether an order does not recover from the Challenge's state (RFC 8555
// section 7.1.6).
func (c Challenge) Failed() bool {
	return c.State == "invalid" || c.State == "errored" || c.State == "expired"
}
