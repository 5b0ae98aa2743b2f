package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/test/world"
)

// pageCost is what the status page takes, in octets, and medians of times.
type pageCost struct {
	page, json, live    int
	pageFirst, liveTook time.Duration
}

var partOfPage = regexp.MustCompile(`id="([^"]+)" data-v="([^"]+)"`)

// costOfPage asks a replica for the page, as a browser does: all of it once, and then
// what has changed.
func costOfPage(ctx context.Context) (cost pageCost, err error) {
	base := fmt.Sprintf("http://%s:8080/", world.ReplicaAddress(0))
	var firsts, took []time.Duration
	var live []int
	for range domainsSample {
		body, first, err := fetch(ctx, base, "")
		if err != nil {
			return cost, err
		}
		cost.page, firsts = len(body), append(firsts, first)
		var have []string
		for _, m := range partOfPage.FindAllSubmatch(body, -1) {
			have = append(have, string(m[1])+"="+string(m[2]))
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return cost, err
		}
		begin := time.Now()
		if body, _, err = fetch(ctx, base+"?fragment", strings.Join(have, " ")); err != nil {
			return cost, err
		}
		live, took = append(live, len(body)), append(took, time.Since(begin))
	}
	body, _, err := fetch(ctx, base+"status.json", "")
	cost.json, cost.live = len(body), slices.Max(live)
	cost.pageFirst, cost.liveTook = percentile(firsts, 50), percentile(took, 50)
	return cost, err
}

// fetch returns what is at a URL, and after how long its first byte was there. have are
// the parts of the page that are there already.
func fetch(ctx context.Context, url, have string) (body []byte, first time.Duration, err error) {
	begin := time.Now()
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Since(begin) }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	if have != "" {
		r.Header.Set("Signpost-Have", have)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s: %s", url, response.Status)
	}
	body, err = io.ReadAll(response.Body)
	return body, first, err
}
