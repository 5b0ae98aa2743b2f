package status

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	authorityLifetime = time.Hour
	authorityTimeout  = 5 * time.Second
	authorityMaxSize  = 64 << 10
)

// authorities knows under what names CAs look for themselves in CAA records: they
// say so in their ACME directories (RFC 8555 section 7.1.1, caaIdentities).
type authorities struct {
	mu    sync.Mutex
	known map[string]authority // by directory URL
}

type authority struct {
	identities []string
	next       time.Time
}

// identities returns those of the CA with this directory, nil if it does not say.
func (a *authorities) identities(ctx context.Context, directory string) []string {
	a.mu.Lock()
	known := a.known[directory]
	a.mu.Unlock()
	if directory == "" || time.Now().Before(known.next) {
		return known.identities
	}
	if found, err := readIdentities(ctx, directory); err == nil {
		known.identities = found
	} // else what was known; CAA records are then not compared, or as before
	known.next = time.Now().Add(authorityLifetime)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[string]authority{}
	}
	a.known[directory] = known
	return known.identities
}

func readIdentities(ctx context.Context, directory string) ([]string, error) {
	if !strings.HasPrefix(directory, "https://") {
		return nil, errors.New("not https")
	}
	ctx, cancel := context.WithTimeout(ctx, authorityTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, directory, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var d struct {
		Meta struct {
			CAAIdentities []string `json:"caaIdentities"`
		} `json:"meta"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, authorityMaxSize)).Decode(&d)
	return d.Meta.CAAIdentities, err
}
