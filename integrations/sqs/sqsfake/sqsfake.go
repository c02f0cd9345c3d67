// Package sqsfake is a double of AWS SQS for tests, written after its API reference: the calls
// that a receiver makes, in the JSON protocol. It refuses what the service refuses. Signatures
// are checked by [Signed].
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
package sqsfake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Queue is one queue. It is an [http.Handler].
type Queue struct {
	// path is that of the queue's URL.
	path string

	mu       sync.Mutex
	messages []*message
	last     int
	grown    chan struct{}
}

type message struct {
	id, body, group, receipt string
	hidden                   time.Time
}

// New returns a queue whose URL has a path.
func New(path string) *Queue { return &Queue{path: path, grown: make(chan struct{})} }

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
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer, bad := q.serve(r, body)
	if bad != nil {
		Refuse(w, bad.status, bad.code, bad.text)
		return
	}
	w.Header().Set("Content-Type", content)
	_ = json.NewEncoder(w).Encode(answer) // The client is gone.
}

// content is the type of what is sent either way.
const content = "application/x-amz-json-1.0"

// Refuse answers as SQS does where it does not do what it was asked for. The SDK tells the code
// that the error had in XML, which SQS sends along.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html
func Refuse(w http.ResponseWriter, status int, code, text string) {
	old, fault := code, "Sender"
	switch code {
	case "QueueDoesNotExist":
		old = "AWS.SimpleQueueService.NonExistentQueue"
	case "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct":
		old = "AWS.SimpleQueueService." + code
	}
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	w.Header().Set("X-Amzn-Query-Error", old+";"+fault)
	w.Header().Set("Content-Type", content)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + code, "message": text}) // The client is gone.
}

func (q *Queue) serve(r *http.Request, body []byte) (any, *refusal) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != content {
		return nil, invalid("InvalidAction", "%s with content %q", r.Method, r.Header.Get("Content-Type"))
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
	if !strings.HasSuffix(in.queue(), q.path) {
		return nil, invalid("QueueDoesNotExist", "The specified queue does not exist.")
	}
	return f(in)
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
