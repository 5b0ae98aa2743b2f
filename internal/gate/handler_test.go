package gate

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func body(t *testing.T, r *admissionv1.AdmissionRequest) string {
	t.Helper()
	text, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func post(g *Gate, method, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(method, Path, strings.NewReader(body)))
	return w
}

func answer(t *testing.T, w *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return review.Response
}

// TestHandler: what is no AdmissionReview is said to be none.
func TestHandler(t *testing.T) {
	g := New(issuers(t), NewLooks((&fakeDNS{}).look, always, &fakeShared{}), certManager, discard)
	good := body(t, admission(t, "CREATE", nil, orderFor("others", "example.com")))
	for name, tc := range map[string]struct {
		method, body string
		code         int
	}{
		"good":            {"POST", good, 200},
		"GET":             {"GET", "", 405},
		"PUT":             {"PUT", good, 405},
		"nothing":         {"POST", "", 400},
		"not JSON":        {"POST", "{", 400},
		"an array":        {"POST", "[]", 400},
		"null":            {"POST", "null", 400},
		"no request":      {"POST", `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, 400},
		"no UID":          {"POST", strings.Replace(good, `"uid":"1"`, `"uid":""`, 1), 400},
		"another kind":    {"POST", strings.Replace(good, `"kind":"AdmissionReview"`, `"kind":"Review"`, 1), 400},
		"another version": {"POST", strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1), 400},
		"1 MiB":           {"POST", `{"x":"` + strings.Repeat("x", maxBody) + `",` + good[1:], 400},
		"wrong types":     {"POST", `{"apiVersion":1,"kind":{}}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			before := testutil.ToFloat64(g.metrics.reviews.WithLabelValues(resultError))
			w := post(g, tc.method, tc.body)
			if w.Code != tc.code {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, tc.code)
			}
			if tc.code == 200 {
				if r := answer(t, w); !r.Allowed || r.UID != "1" || w.Header().Get("Content-Type") != "application/json" {
					t.Errorf("%+v", r)
				}
				return
			}
			if after := testutil.ToFloat64(g.metrics.reviews.WithLabelValues(resultError)); after != before+1 {
				t.Error("it is not counted")
			}
		})
	}
	r := answer(t, post(g, "POST", body(t, admission(t, "CREATE", nil, orderFor("ours", "example.com")))))
	if r.Allowed || r.Result == nil || r.Result.Code != 403 || r.Result.Reason != metav1.StatusReasonForbidden || !strings.Contains(r.Result.Message, "CNAME") {
		t.Errorf("%+v", r)
	}
}

// However many come at once, and with a store that does not answer, nobody waits
// longer than sharing: the slots bound what is under way, and the rest is told so.
func TestReviewsNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(issuers(t), NewLooks((&fakeDNS{}).look, always, &fakeShared{hangs: true}), certManager, discard)
		text := body(t, admission(t, "CREATE", nil, orderFor("ours", "example.com")))
		codes := map[int]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				began := time.Now()
				w := post(g, "POST", text)
				if took := time.Since(began); took > sharing+10*time.Millisecond {
					t.Errorf("a review took %v", took)
				}
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
			})
		}
		wg.Wait()
		if codes[200] != maxReviews || codes[429] != 500-maxReviews {
			t.Errorf("codes %v", codes)
		}
		if w := post(g, "POST", text); w.Code != 200 {
			t.Errorf("afterwards: %d", w.Code)
		}
	})
}

// Whoever sends slowly, or nothing, takes nobody's slot, and is cut off.
func TestSlowSenders(t *testing.T) {
	g := New(issuers(t), NewLooks((&fakeDNS{}).look, always, &fakeShared{}), certManager, discard)
	server := httptest.NewServer(g)
	defer server.Close()
	var wg sync.WaitGroup
	for range maxReviews + 10 {
		reader, writer := io.Pipe()
		defer writer.Close()
		wg.Go(func() {
			if resp, err := http.Post(server.URL, "application/json", reader); err == nil {
				resp.Body.Close()
			}
		})
		if _, err := writer.Write([]byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.Post(server.URL, "application/json", bytes.NewBufferString(body(t, admission(t, "CREATE", nil, orderFor("others", "example.com")))))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(readTimeout + 20*time.Second):
		t.Error("a connection on which nothing comes is kept")
	}
}
