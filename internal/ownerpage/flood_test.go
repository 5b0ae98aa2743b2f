package ownerpage

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/poll"
)

// Ten thousand requests of one client, and of as many domains as there are links:
// looks, memory and goroutines stay bounded.
func TestFloodOfLinks(t *testing.T) {
	w := newWorld(t)
	w.slow = make(chan struct{})
	release := sync.OnceFunc(func() { close(w.slow) })
	defer release()
	before, begin := runtime.NumGoroutine(), time.Now()
	codes := map[int]int{}
	for range 10_000 {
		codes[w.get(w.first).Code]++
	}
	if codes[200] < pagesAtOnce || codes[200] > 2000 || codes[200]+codes[429] != 10_000 {
		t.Errorf("one link: %v", codes)
	}
	if w.looks > 1 {
		t.Errorf("%d looks for one link", w.looks)
	}
	for range 10_000 {
		if got := w.get(w.first[:len(w.first)-4] + "0000"); got.Code != 404 {
			t.Fatal(got.Code)
		}
	}
	// Who has another link is served meanwhile.
	if got := w.get(w.link(testScope, "another.example.com", time.Now().Add(time.Hour))); got.Code != 200 {
		t.Errorf("another link: %d", got.Code)
	}
	for i := range 3 * maxDomains {
		w.get(w.link(testScope, fmt.Sprintf("d%d.example.com", i), time.Now().Add(time.Hour)))
	}
	w.page.looks.mu.Lock()
	n := len(w.page.looks.domains)
	w.page.looks.mu.Unlock()
	w.mu.Lock()
	most, looks := w.most, w.looks
	w.mu.Unlock()
	if n > maxDomains || most > looksAtOnce || looks > looksAtOnce*(1+int(time.Since(begin)/lookTimeout)) || runtime.NumGoroutine() > before+looksAtOnce+2 {
		t.Errorf("%d domains, %d looks, %d at a time, %d goroutines, before %d", n, looks, most, runtime.NumGoroutine(), before)
	}
	release()
	poll.Until(t, 5*time.Second, "the looks end", func() error {
		if n := runtime.NumGoroutine(); n > before+1 {
			return fmt.Errorf("%d goroutines, before %d", n, before)
		}
		return nil
	})
}

// All who have a page open share its looks: no more than one every two seconds, and
// only a question where nothing has changed.
func TestLooksAreShared(t *testing.T) {
	w := newWorld(t)
	w.mu.Lock()
	w.sight, w.changed = found("cname-missing", check.Failed, "nothing"), false
	w.mu.Unlock()
	w.again(0)
	s := w.page.looks.domains[testScope+"/"+testDomain]
	if pause := time.Until(s.next); pause < wrongPause/2 || pause > wrongPause {
		t.Errorf("the next look is in %v", pause)
	}
	for range 40 {
		w.get(w.first)
	}
	if w.looks != 1 {
		t.Errorf("%d looks", w.looks)
	}
	due := func() { // and waits for what follows
		w.page.looks.mu.Lock()
		s.next = time.Time{}
		w.page.looks.mu.Unlock()
		w.get(w.first)
		poll.Until(t, 5*time.Second, "the look ends", func() error {
			w.page.looks.mu.Lock()
			defer w.page.looks.mu.Unlock()
			if s.running || s.next.IsZero() {
				return context.DeadlineExceeded
			}
			return nil
		})
	}
	if due(); w.looks != 1 {
		t.Errorf("nothing has changed, and %d looks were made", w.looks)
	}
	w.page.looks.mu.Lock()
	s.whole = time.Now().Add(-wholeLook - time.Second)
	w.page.looks.mu.Unlock()
	if due(); w.looks != 2 {
		t.Errorf("after a while, %d looks were made", w.looks)
	}
}

// Clients that hold connections, or send headers without end, end by themselves.
func TestSlowClients(t *testing.T) {
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, w.page, slog.New(slog.DiscardHandler)) }()
	var closed atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nX: ") // and no more
			_ = conn.SetReadDeadline(time.Now().Add(8 * time.Second))
			if _, err := conn.Read(make([]byte, 1024)); err == nil || !strings.Contains(err.Error(), "timeout") {
				closed.Add(1)
			}
		})
	}
	if resp, err := http.Get("http://" + listener.Addr().String() + w.first); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("meanwhile: %v, %v", resp, err)
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+w.first, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X", strings.Repeat("x", 64<<10))
	if resp, err := http.DefaultClient.Do(r); err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KB of header: %d", resp.StatusCode)
	}
	wg.Wait()
	if closed.Load() != 20 {
		t.Errorf("%d of 20 slow connections were ended", closed.Load())
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
