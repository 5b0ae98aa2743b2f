package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The APIService of an installation says in annotations how it was set up, so
// that the command line need not be told.
const (
	annotationZone      = "signpost.dev/zone"
	annotationNamespace = "signpost.dev/cluster-namespace"
	annotationStrict    = "signpost.dev/strict-namespaces" // "true"
	annotationGate      = "signpost.dev/order-gate"        // "false" if Orders are not decided on
	annotationStatus    = "signpost.dev/status-service"    // the Service in front of the status page, as namespace/name:port
	annotationOwnerURL  = "signpost.dev/owner-url"         // of the owner's page; not there if there is none
	annotationOwnerKeys = "signpost.dev/owner-keys"        // the Secret with the keys of links to it, as namespace/name
)

// Installation is how Signpost was set up in a cluster.
type Installation struct {
	Found     bool // it has an APIService that this user may read
	Zone      string
	Namespace string // the scope of ClusterIssuers
	Strict    bool   // it is the Certificate's own namespace instead
	Gate      bool   // Orders are decided on; true if it is not said
	OwnerURL  string // under which the owner's page is reached; "" if there is none
	OwnerKeys string // the Secret with the keys of links to it, as namespace/name
}

// Installation reads how the installation with that API group was set up. What
// it does not say is empty, and so is everything for one that nobody has
// installed by the chart, or that this user may not see.
func (c *Client) Installation(ctx context.Context, group string) (i Installation, err error) {
	raw, err := c.kube.Discovery().RESTClient().Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1." + group).DoRaw(ctx)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return i, nil
	}
	if err != nil {
		return i, Explain(err, "reading the APIService of "+group)
	}
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(raw, &object); err != nil {
		return i, fmt.Errorf("the APIService of %s: %w", group, err)
	}
	i.Found = true
	i.Zone, i.Namespace = object.Annotations[annotationZone], object.Annotations[annotationNamespace]
	i.Strict = object.Annotations[annotationStrict] == "true"
	i.Gate = object.Annotations[annotationGate] != "false"
	i.OwnerURL, i.OwnerKeys = object.Annotations[annotationOwnerURL], object.Annotations[annotationOwnerKeys]
	c.statusService = object.Annotations[annotationStatus]
	return i, nil
}

// Secret returns the data of a Secret, as namespace/name.
func (c *Client) Secret(ctx context.Context, namespacedName string) (map[string][]byte, error) {
	namespace, name, _ := strings.Cut(namespacedName, "/")
	secret, err := c.kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, Explain(err, "reading Secret "+name+" in namespace "+namespace)
	}
	return secret.Data, nil
}

// Asked returns how often the CA and others have asked for the record of a Challenge for
// domain, over all replicas. It reads the status page through the API server, with the
// user's own rights; an error means that this cannot be done.
func (c *Client) Asked(ctx context.Context, namespace, name, domain string) (uint64, error) {
	raw, err := c.StatusPage(ctx, domain)
	if err != nil {
		return 0, err
	}
	var status struct {
		Domains []struct {
			Challenges []struct {
				Namespace, Name string
				Asked           struct{ Answered uint64 }
			}
		}
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return 0, fmt.Errorf("the status page: %w", err)
	}
	for _, d := range status.Domains {
		for _, challenge := range d.Challenges {
			if challenge.Namespace == namespace && challenge.Name == name {
				return challenge.Asked.Answered, nil
			}
		}
	}
	return 0, nil
}

// StatusPage reads the status page, as JSON, through the API server with the user's own
// rights: the domains that its search finds, or "" for all. It knows where that is once Installation has been read; an error means that
// it cannot be read.
func (c *Client) StatusPage(ctx context.Context, search string) ([]byte, error) {
	if c.statusService == "" {
		return nil, errors.New("the installation does not say where its status page is")
	}
	where, service, _ := strings.Cut(c.statusService, "/")
	request := c.kube.CoreV1().RESTClient().Get().Namespace(where).Resource("services").Name(service).
		SubResource("proxy").Suffix("status.json").Timeout(0) // else "?timeout=" is passed on, and the page has no such filter
	if search != "" {
		request = request.Param("q", search)
	}
	raw, err := request.DoRaw(ctx)
	return raw, Explain(err, "reading the status page")
}
