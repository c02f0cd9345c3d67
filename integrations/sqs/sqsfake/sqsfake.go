// Package sqsfake is a double of AWS SQS for tests, written after its API reference: the calls
// that a receiver makes, in the JSON protocol. It refuses what the service refuses.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
package sqsfake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Queue is one queue. It is an [http.Handler].
type Queue struct {
	// Region, KeyID and Secret are what requests must be signed with.
	Region, KeyID, Secret string
	// Path is the path of the queue's URL.
	Path string

	mu       sync.Mutex
	messages []*message
	last     int
	grown    chan struct{}
	receives int
	changes  int
}

type message struct {
	id, body, group, receipt string
	hidden                   time.Time
}

// New returns a queue.
func New(region, keyID, secret, path string) *Queue {
	return &Queue{Region: region, KeyID: keyID, Secret: secret, Path: path, grown: make(chan struct{})}
}

// Send leaves messages of a group, which is empty in a standard queue.
func (q *Queue) Send(group string, bodies ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, body := range bodies {
		q.last++
		q.messages = append(q.messages, &message{id: fmt.Sprintf("m-%d", q.last), body: body, group: group})
	}
	q.wake()
}

// Receives is how often messages were asked for.
func (q *Queue) Receives() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.receives
}

// Changes is how often the visibility of messages was changed.
func (q *Queue) Changes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.changes
}

// Expire has every hidden message come again, as if its time were over.
func (q *Queue) Expire() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		m.hidden = time.Time{}
	}
	q.wake()
}

func (q *Queue) wake() {
	close(q.grown)
	q.grown = make(chan struct{})
}

// refusal is an error of the service.
type refusal struct {
	status     int
	code, text string
}

func invalid(code, format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// ServeHTTP implements [http.Handler].
func (q *Queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	answer, bad := q.serve(r, body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if bad != nil {
		w.WriteHeader(bad.status)
		answer = map[string]string{"__type": "com.amazonaws.sqs#" + bad.code, "message": bad.text}
	}
	_ = json.NewEncoder(w).Encode(answer) // The client is gone.
}

func (q *Queue) serve(r *http.Request, body []byte) (any, *refusal) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
		return nil, invalid("InvalidAction", "%s with content %q", r.Method, r.Header.Get("Content-Type"))
	}
	if bad := q.verify(r, body); bad != nil {
		return nil, bad
	}
	action, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	switch action {
	case "ReceiveMessage":
		return decoded(q, body, func(in receiveInput) (any, *refusal) { return q.receive(r.Context(), in) })
	case "DeleteMessageBatch":
		return decoded(q, body, q.remove)
	case "ChangeMessageVisibilityBatch":
		return decoded(q, body, q.change)
	case "GetQueueAttributes":
		return decoded(q, body, q.attributes)
	}
	return nil, invalid("InvalidAction", "there is no action %q", action)
}

// addressed is an input that names its queue.
type addressed interface{ queue() string }

// decoded calls f with the input, in which nothing may be that is not known.
func decoded[In addressed](q *Queue, body []byte, f func(In) (any, *refusal)) (any, *refusal) {
	var in In
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, invalid("SerializationException", "%v", err)
	}
	if !strings.HasSuffix(in.queue(), q.Path) {
		return nil, invalid("QueueDoesNotExist", "The specified queue does not exist.")
	}
	return f(in)
}

// verify checks the signature of a request, by signing it anew.
func (q *Queue) verify(r *http.Request, body []byte) *refusal {
	given := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	_, rest, signed := strings.Cut(given, "SignedHeaders=")
	if err != nil || !signed || time.Since(at).Abs() > 5*time.Minute {
		return &refusal{http.StatusForbidden, "IncompleteSignature", "The request is not signed."}
	}
	names, _, _ := strings.Cut(rest, ",")
	again, err := http.NewRequestWithContext(context.Background(), r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return invalid("InvalidAction", "%v", err)
	}
	again.ContentLength = 0
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	sum := sha256.Sum256(body)
	keys := aws.Credentials{AccessKeyID: q.KeyID, SecretAccessKey: q.Secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, again, hex.EncodeToString(sum[:]), "sqs", q.Region, at); err != nil {
		return invalid("InvalidAction", "%v", err)
	}
	if again.Header.Get("Authorization") != given {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."}
	}
	return nil
}

type receiveInput struct {
	QueueURL                    string   `json:"QueueUrl"`
	MaxNumberOfMessages         *int     `json:"MaxNumberOfMessages"`
	WaitTimeSeconds             *int     `json:"WaitTimeSeconds"`
	VisibilityTimeout           *int     `json:"VisibilityTimeout"`
	MessageSystemAttributeNames []string `json:"MessageSystemAttributeNames"`
}

func (in receiveInput) queue() string { return in.QueueURL }

// within is a number, or its default, between two others.
func within(name string, n *int, otherwise, least, most int) (int, *refusal) {
	if n == nil {
		return otherwise, nil
	}
	if *n < least || *n > most {
		return 0, invalid("InvalidParameterValue", "Value %d for parameter %s is invalid. Reason: Must be between %d and %d.", *n, name, least, most)
	}
	return *n, nil
}

func (q *Queue) receive(ctx context.Context, in receiveInput) (any, *refusal) {
	most, bad := within("MaxNumberOfMessages", in.MaxNumberOfMessages, 1, 1, 10)
	if bad != nil {
		return nil, bad
	}
	wait, bad := within("WaitTimeSeconds", in.WaitTimeSeconds, 0, 0, 20)
	if bad != nil {
		return nil, bad
	}
	hide, bad := within("VisibilityTimeout", in.VisibilityTimeout, 30, 0, 43200)
	if bad != nil {
		return nil, bad
	}
	deadline := time.NewTimer(time.Duration(wait) * time.Second)
	defer deadline.Stop()
	for {
		found, grown, again := q.next(most, time.Duration(hide)*time.Second, slices.Contains(in.MessageSystemAttributeNames, "MessageGroupId"))
		if len(found) > 0 {
			return map[string]any{"Messages": found}, nil
		}
		select {
		case <-grown:
		case <-time.After(again):
		case <-deadline.C:
			return map[string]any{}, nil
		case <-ctx.Done():
			return map[string]any{}, nil
		}
	}
}
