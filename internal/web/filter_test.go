package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
)

// matching says how many domains a query finds, by the JSON.
func matching(t *testing.T, h http.Handler, query string) int {
	t.Helper()
	w := get(h, "/status.json"+query)
	var d struct {
		Matching int
		Domains  []struct{ Name string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || len(d.Domains) != d.Matching {
		t.Fatalf("%s: %v, %d of %d domains\n%.300s", query, err, len(d.Domains), d.Matching, w.Body)
	}
	return d.Matching
}

func TestFilters(t *testing.T) {
	s := fleet(t, 400)
	s.Domains[0].Name, s.Domains[0].Unicode = "xn--bcher-kva.example", "bücher.example"
	s.Domains[1].Certificates[0].Issuer = "Issuer/own"
	h := handlerOf(t, s)
	for query, want := range map[string]int{
		"?q=": 400, "?state=failed": 24, "?state=ok": 372, "?state=unknown": 4, "?state=warning": 0, "?state=pending": 0,
		"?namespace=customer-07": 10, "?namespace=customer-07&state=failed": 2, "?namespace=nobody": 0,
		"?issuer=Issuer/own": 1, "?issuer=ClusterIssuer/letsencrypt": 399, "?issuer=Issuer/own&namespace=customer-02": 0,
		"?expires=none": 20, "?expires=expired": 4, "?q=shop-00003": 1, "?q=SHOP-00003.Example.NET.": 1, "?q=*.shop-00003.example.net": 1,
		"?q=_acme-challenge.shop-00003": 1, "?q=customer-03+shop-00003": 1, "?q=customer-04+shop-00003": 0, "?q=b%C3%BCcher": 1, "?q=xn--bcher": 1,
		"?q=" + s.Domains[5].Record.Value: 1, "?q=%3Cscript%3E": 0,
	} {
		if got := matching(t, h, query); got != want {
			t.Errorf("%s finds %d domains, want %d", query, got, want)
		}
	}
	if seven, thirty, ninety := matching(t, h, "?expires=7d"), matching(t, h, "?expires=30d"), matching(t, h, "?expires=90d"); seven == 0 || seven >= thirty || thirty >= ninety || ninety+24 != 400 {
		t.Errorf("%d, %d and %d domains expire within 7, 30 and 90 days", seven, thirty, ninety)
	}
}

var rowLink = regexp.MustCompile(`<li id="r-[^>]*><a href="domain/cert-manager/([^"]+)"`)

func rowsOf(body string) (names []string) {
	for _, m := range rowLink.FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	return names
}

// Following "Next" from page to page shows every domain that matches once, in order,
// and the addresses are the same every time.
func TestPaging(t *testing.T) {
	h := handlerOf(t, fleet(t, 400))
	for query, want := range map[string]int{"": 400, "?state=ok&sort=name": 372, "?state=failed": 24, "?q=shop-000&sort=expiry": 100} {
		seen := map[string]bool{}
		address, visited := "/"+query, 0
		for ; address != ""; visited++ {
			body := get(h, address).Body.String()
			if again := get(h, address).Body.String(); strings.Join(rowsOf(again), " ") != strings.Join(rowsOf(body), " ") {
				t.Errorf("%s: another order the second time", address)
			}
			for _, name := range rowsOf(body) {
				if seen[name] {
					t.Errorf("%s: %s is shown twice", address, name)
				}
				seen[name] = true
			}
			next := regexp.MustCompile(`<a href="\./([^"#]+)#domains" rel="next">`).FindStringSubmatch(body)
			if address = ""; next != nil {
				address = "/" + strings.ReplaceAll(next[1], "&amp;", "&")
			}
			if visited > 20 {
				t.Fatal("there is no end")
			}
		}
		if len(seen) != want || visited != (want+29)/30 {
			t.Errorf("%q: %d domains on %d pages, want %d", query, len(seen), visited, want)
		}
	}
	// The worst come first, and "sort" changes that.
	if rows := rowsOf(get(h, "/").Body.String()); len(rows) != 30 || rows[0] != "shop-00007.example.net" || rows[4] != "shop-00009.example.net" || rows[8] != "shop-00003.example.net" || rows[28] != "shop-00000.example.net" {
		t.Errorf("the first page: %v", rows)
	}
	if rows := rowsOf(get(h, "/?sort=name").Body.String()); rows[1] != "shop-00001.example.net" {
		t.Errorf("by name: %v", rows)
	}
	if rows := rowsOf(get(h, "/?sort=expiry").Body.String()); rows[0] != "shop-00007.example.net" {
		t.Errorf("by expiry: %v", rows)
	}
}

// What cannot be asked, or does not exist, is said in a plain page with a status that
// programs understand; never is something else shown instead.
func TestBadInput(t *testing.T) {
	h := handlerOf(t, fleet(t, 400))
	for _, tc := range []struct {
		query string
		code  int
		says  string
	}{
		{"?state=splendid", 400, "For state there is no “splendid”. There are failed, unknown, warning, pending, ok."},
		{"?expires=5", 400, "There are expired, 7d, 30d, 90d, none."},
		{"?sort=colour", 400, "There are state, name, expiry."},
		{"?colour=red", 400, "There is no filter “colour”. There are state, outlook, q, namespace, issuer, expires, sort, page."},
		{"?page=0", 400, "“0” is not the number of a page."},
		{"?page=-1", 400, "“-1” is not the number of a page."},
		{"?page=x", 400, "“x” is not the number of a page."},
		{"?page=99999999999999999999", 400, "is not the number of a page."},
		{"?page=9999", 404, "There is no page 9999: with this filter there"},
		{"?state=failed&page=2", 404, "There is no page 2: with this filter there is 1."},
		{"?state=failed&state=ok", 400, "The filter state is given 2 times."},
		{"?q=%zz", 400, "What follows the question mark in the address cannot be read."},
		{"?q=a;b", 400, "What follows the question mark in the address cannot be read."},
		{"?q=%ff%fe", 400, "What is given for q has characters in it that are no text."},
		{"?q=%00", 400, "What is given for q has characters in it that are no text."},
		{"?q=" + strings.Repeat("x", 1_000_000), 400, "What is given for q is too long: 1000000 characters, where 300 are allowed."},
		{"?" + strings.Repeat("x", 1_000_000), 400, "There is no filter “xxxx"},
		{"?state=%3Cscript%3Ealert(1)%3C/script%3E", 400, "For state there is no “<script>alert(1)</script>”."},
	} {
		for _, path := range []string{"/", "/status.json", "/status.csv"} {
			if tc.query == "?state=failed&page=2" && path == "/status.csv" {
				continue // the same as of JSON
			}
			w := get(h, path+tc.query)
			text := w.Body.String()
			if path == "/" {
				if text = textOf(t, text); !strings.Contains(text, "The status page") || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
					t.Errorf("%.40s: no plain page with a way back: %s", tc.query, text)
				}
			}
			if w.Code != tc.code || !strings.Contains(text, tc.says) || len(w.Body.String()) > 5000 {
				t.Errorf("GET %s%.40s = %d, %d bytes, want %d and %q:\n%.600s", path, tc.query, w.Code, w.Body.Len(), tc.code, tc.says, text)
			}
			if strings.Contains(w.Body.String(), "<script>alert") && path == "/" {
				t.Errorf("%s: markup in the page", tc.query)
			}
		}
	}
	// A search for markup finds nothing, and says what it looked for.
	w := get(h, "/?q="+url.QueryEscape("<img src=x onerror=alert(1)>"))
	if text := textOf(t, w.Body.String()); w.Code != 200 || !strings.Contains(text, "No domain matches “<img src=x onerror=alert(1)>”") || strings.Contains(w.Body.String(), "<img src=x") {
		t.Errorf("%d: %s", w.Code, text)
	}
}

// Over a real socket an address of a million characters is refused before it is read.
func TestMillionCharacters(t *testing.T) {
	base := serve(t, good)
	response, body := request(t, "GET", base+"/?q="+strings.Repeat("x", 1_000_000))
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge && response.StatusCode != http.StatusBadRequest {
		t.Errorf("%d: %.200s", response.StatusCode, body)
	}
}

func TestDomainPage(t *testing.T) {
	s := fleet(t, 400)
	s.Domains[0].Name, s.Domains[0].Unicode = "xn--bcher-kva.example", "bücher.example"
	h := handlerOf(t, s)
	w := get(h, "/domain/cert-manager/shop-00003.example.net")
	text := textOf(t, w.Body.String())
	for _, want := range []string{"shop-00003.example.net", "Add this record", s.Domains[3].Record.Value, "customer-03/shop-00003", "All domains"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if strings.Contains(text, "shop-00004") {
		t.Error("another domain is on its page")
	}
	for _, want := range []string{`href="../../style.css"`, `src="../../page.js"`, `href="../../#domains"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s: a proxy's path would not be kept", want)
		}
	}
	for path, code := range map[string]int{
		"/domain/cert-manager/shop-00003.example.net": 200, "/domain/cert-manager/*.Shop-00003.Example.net.": 200, "/domain/cert-manager/b%C3%BCcher.example": 200,
		"/domain/other/shop-00003.example.net": 404, "/domain/cert-manager/shop-99999.example.net": 404, "/domain/cert-manager/%3Cscript%3E": 404,
		"/domain/cert-manager/" + strings.Repeat("x", 10000): 404, "/domain/cert-manager": 404, "/domain/": 404,
	} {
		w := get(h, path)
		if w.Code != code || w.Body.Len() > maxPage || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("GET %.60s = %d, want %d", path, w.Code, code)
		}
		if strings.Count(path, "/") == 3 && code == 404 && !strings.Contains(textOf(t, w.Body.String()), "No Certificate that uses Signpost is for the domain") {
			t.Errorf("%.60s: %s", path, textOf(t, w.Body.String()))
		}
	}
}

// A live update sends what has changed, and nothing if nothing has.
func TestLive(t *testing.T) {
	s := fleet(t, 400)
	w := get(handlerOf(t, s), "/?state=failed&fragment")
	tag := w.Header().Get("ETag")
	var have []string
	for _, m := range regexp.MustCompile(`id="([pr]-[^"]+)" data-v="([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		have = append(have, m[1]+"="+m[2])
	}
	if len(have) != 9+24 || tag == "" {
		t.Fatalf("%d parts, ETag %s", len(have), tag)
	}
	headers := []string{"If-None-Match", tag, "Signpost-Have", strings.Join(have, " ")}

	later := s // the next look found the same
	later.At = s.At.Add(2 * time.Second)
	w = get(handlerOf(t, later), "/?state=failed&fragment", headers...)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("Signpost-At") != later.At.UTC().Format("2006-01-02 15:04:05 UTC") {
		t.Errorf("nothing has changed: %d, %d bytes, %q", w.Code, w.Body.Len(), w.Header().Get("Signpost-At"))
	}

	changed := fleet(t, 400)
	changed.At = later.At
	changed.Domains[3].Checks[0].Check = "cname-elsewhere"
	w = get(handlerOf(t, changed), "/?state=failed&fragment", headers...)
	body := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("ETag") == tag || w.Body.Len() > 6000 {
		t.Errorf("one row has changed: %d, %d bytes", w.Code, w.Body.Len())
	}
	if strings.Count(body, "data-same") != 9+24-2 { // the row and the head's list
		t.Errorf("%d parts were not sent again:\n%s", strings.Count(body, "data-same"), body)
	}
	if rows := rowsOf(body); len(rows) != 1 || rows[0] != "shop-00003.example.net" {
		t.Errorf("sent were %v", rows)
	}
	// A page that has gone while somebody looked at it is the last one.
	if w := get(handlerOf(t, s), "/?state=failed&page=7&fragment"); w.Code != 200 || len(rowsOf(w.Body.String())) != 24 {
		t.Errorf("a page that has gone: %d", w.Code)
	}
	// What a browser says that it has is not believed beyond reason.
	if w := get(handlerOf(t, s), "/?fragment", "Signpost-Have", strings.Repeat("x=y ", 5000)); w.Code != 200 || len(rowsOf(w.Body.String())) != 30 {
		t.Errorf("a long list: %d", w.Code)
	}
}

// Programs get everything from the old address, in the snapshot's order, and pages
// from the new ones.
func TestJSONPages(t *testing.T) {
	h := handlerOf(t, fleet(t, 1200))
	var all struct {
		Matching *int
		Domains  []struct{ Name, State string }
	}
	if err := json.Unmarshal(get(h, "/status.json").Body.Bytes(), &all); err != nil || len(all.Domains) != 1200 || all.Matching != nil || all.Domains[1199].Name != "shop-01199.example.net" {
		t.Errorf("%v, %d domains", err, len(all.Domains))
	}
	seen := map[string]bool{}
	for page := 1; page <= 3; page++ {
		var d struct {
			Total, Matching, Page, Pages int
			Domains                      []struct{ Name string }
		}
		if err := json.Unmarshal(get(h, fmt.Sprintf("/status.json?sort=name&page=%d", page)).Body.Bytes(), &d); err != nil || d.Total != 1200 || d.Matching != 1200 || d.Page != page || d.Pages != 3 {
			t.Errorf("%v: %+v", err, d)
		}
		for _, x := range d.Domains {
			seen[x.Name] = true
		}
	}
	if len(seen) != 1200 {
		t.Errorf("%d domains on the pages", len(seen))
	}
}

func TestCSV(t *testing.T) {
	s := fleet(t, 400)
	s.Domains[5].Certificates[0].Issuer = `=cmd|"/c calc"!A1`
	w := get(handlerOf(t, s), "/status.csv?state=failed&sort=name")
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 25 || w.Header().Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		t.Fatalf("%v, %d rows, %s", err, len(rows), w.Header())
	}
	if got := strings.Join(rows[0], ","); got != "domain,unicode,scope,state,text,certificates,issuers,expires,renews,record,target,todo,outlook,forecast,outage,unknownSince,checkedAt" {
		t.Error(got)
	}
	if r := rows[1]; r[0] != "shop-00003.example.net" || r[3] != "failed" || r[4] != "Add this record" || r[5] != "customer-03/shop-00003" || r[7] != "" || !strings.HasPrefix(r[11], "Add the record") {
		t.Errorf("%q", r)
	}
	rows, err = csv.NewReader(get(handlerOf(t, s), "/status.csv").Body).ReadAll()
	if err != nil || len(rows) != 401 || rows[6][6] != `'=cmd|"/c calc"!A1` {
		t.Errorf("%v, %d rows: a formula: %q", err, len(rows), rows[6])
	}
}

// The query of a filter says what the filter says.
func TestFilterQuery(t *testing.T) {
	f := web.Filter{State: web.Failed, Outlook: status.AtRisk, Search: "a&b=c #", Namespace: "n", Issuer: "Issuer/x", Expiry: "7d", Sort: "name", Page: 3}
	query, err := url.ParseQuery(strings.TrimPrefix(f.Query(), "?"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := web.ParseFilter(query); err != nil || got != f {
		t.Errorf("%v: %+v", err, got)
	}
	if q := (web.Filter{}).Query(); q != "" {
		t.Errorf("all: %q", q)
	}
}
