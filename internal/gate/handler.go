package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Path is where the API server asks. Anybody who reaches the port may: the API
// server comes without a client certificate. Nobody learns more than which records
// a name needs, which everybody can compute, and whether they are there.
const Path = "/order-gate"

const (
	maxBody    = 1 << 20
	maxReviews = 64 // at once; each takes a millisecond, or as long as sharing

	readTimeout = 2 * time.Second // for the API server waits for three
)

// ServeHTTP answers an AdmissionReview v1. One that cannot be read is a 400, one
// too many a 429: the API server then does what the failurePolicy says.
func (g *Gate) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		g.fail(w, http.StatusMethodNotAllowed, errors.New("post an AdmissionReview"))
		return
	}
	// The API server sends all at once; a slow client must hold nothing up. An
	// error means that the connection has no deadlines.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(readTimeout))
	review, err := readReview(http.MaxBytesReader(w, req.Body, maxBody))
	_ = connection.SetReadDeadline(time.Time{})
	if err != nil {
		g.fail(w, http.StatusBadRequest, err)
		return
	}
	select { // only now, so that nobody can take a slot without a review
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	default:
		g.fail(w, http.StatusTooManyRequests, errors.New("too many reviews at once"))
		return
	}
	allowed, text := g.Review(req.Context(), review.Request)
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: allowed}
	if !allowed {
		response.Result = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: text}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response})
}

func (g *Gate) fail(w http.ResponseWriter, code int, err error) {
	g.metrics.reviews.WithLabelValues(resultError).Inc()
	http.Error(w, err.Error(), code)
}

func readReview(body io.Reader) (r admissionv1.AdmissionReview, err error) {
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return r, errors.New("not an AdmissionReview: not JSON, or too large")
	}
	if r.APIVersion != admissionv1.SchemeGroupVersion.String() || r.Kind != "AdmissionReview" || r.Request == nil || r.Request.UID == "" {
		return r, fmt.Errorf("not an AdmissionReview of %s with a request", admissionv1.SchemeGroupVersion)
	}
	return r, nil
}
