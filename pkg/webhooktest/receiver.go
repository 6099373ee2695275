package webhooktest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Request is a recorded request.
type Request struct {
	Method string
	URI    string // path and query
	Header http.Header
	Body   []byte
}

// Answer is a response of a Receiver. The zero value is an empty 200.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	// Wait, if set, delays the response until the channel is closed or the client
	// disconnects.
	Wait <-chan struct{}
}

// Receiver is a target on the loopback interface. It records every request
// before it responds. It may be used concurrently.
type Receiver struct {
	URL string

	mu       sync.Mutex
	script   []Answer
	received []Request
}

// NewReceiver starts a target that runs until the test ends. It sends the answers
// in turn and then repeats the last one; without answers it sends an empty 200.
func NewReceiver(t testing.TB, answers ...Answer) *Receiver {
	t.Helper()
	r := &Receiver{script: answers}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// Requests returns the requests so far, in order of arrival.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.received...)
}

// Script replaces the remaining answers.
func (r *Receiver) Script(answers ...Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = answers
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	answer := r.take(Request{Method: req.Method, URI: req.URL.RequestURI(), Header: req.Header.Clone(), Body: body})
	if answer.Wait != nil {
		select {
		case <-answer.Wait:
		case <-req.Context().Done():
			return
		}
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	if answer.Status != 0 {
		w.WriteHeader(answer.Status)
	}
	_, _ = io.WriteString(w, answer.Body)
}

func (r *Receiver) take(req Request) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received = append(r.received, req)
	if len(r.script) == 0 {
		return Answer{}
	}
	answer := r.script[0]
	if len(r.script) > 1 {
		r.script = r.script[1:]
	}
	return answer
}
