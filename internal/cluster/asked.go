package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// annotationStatus names the Service in front of the status page, as
// namespace/name:port.
const annotationStatus = "signpost.dev/status-service"

// Asked returns how often the CA and others have asked for a Challenge's record,
// over all replicas. It reads the status page through the API server, with the
// user's own rights; an error means that this cannot be done.
func (c *Client) Asked(ctx context.Context, namespace, name string) (uint64, error) {
	if c.statusService == "" {
		return 0, errors.New("the installation does not say where its status page is")
	}
	where, service, _ := strings.Cut(c.statusService, "/")
	raw, err := c.kube.CoreV1().RESTClient().Get().Namespace(where).Resource("services").Name(service).
		SubResource("proxy").Suffix("status.json").DoRaw(ctx)
	if err != nil {
		return 0, Explain(err, "reading the status page")
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
