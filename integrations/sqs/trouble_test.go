package sqs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/sqs/sqsfake"
)

// tally counts what is taken.
type tally struct {
	mu    sync.Mutex
	times map[string]int
}

func (y *tally) take(_ context.Context, body []byte) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.times == nil {
		y.times = map[string]int{}
	}
	y.times[string(body)]++
	return nil
}

func (y *tally) has(body string) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.times[body] > 0
}

// persist calls Pull again and again, as the service does, and returns what ends it and tells
// the errors.
func persist(t *testing.T, p alerts.Puller, take func(context.Context, []byte) error) (stop func() []error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []error, 1)
	go func() {
		var errs []error
		for ctx.Err() == nil {
			if err := p.Pull(ctx, alerts.Each(take)); ctx.Err() == nil {
				errs = append(errs, err)
			}
		}
		done <- errs
	}()
	t.Cleanup(cancel)
	return func() []error { cancel(); return <-done }
}

// settle waits until nothing is in the queue.
func settle(t *testing.T, s *service) {
	t.Helper()
	p := open(t, s.config())
	until(t, "the queue is empty", func() bool { lag, err := p.Lag(t.Context()); return err == nil && lag == 0 })
}

// An answer of 200 may say that some messages were not deleted. It is told, they come again,
// and the others do not.
func TestWhatIsNotDeletedComesAgain(t *testing.T) { onEach(t, "alerts", notDeleted) }

func notDeleted(t *testing.T, s *service) {
	var failed string
	var once sync.Once
	s.inTrouble(func(action string, w http.ResponseWriter, r *http.Request) bool {
		done := false
		if action == "DeleteMessageBatch" {
			once.Do(func() { failed, done = failOne(t, s, w, r), true })
		}
		return done
	})
	var y tally
	s.queue.Send("", "one", "two", "three")
	stop := persist(t, open(t, s.config()), y.take)
	until(t, "all are deleted", func() bool {
		return y.has("one") && y.has("two") && y.has("three") && s.called("DeleteMessageBatch") > 1
	})
	settle(t, s)
	errs := stop()
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "InternalError") || failed == "" {
		t.Errorf("Pull says %q", errs)
	}
	var counts []int
	for _, body := range []string{"one", "two", "three"} {
		counts = append(counts, y.times[body])
	}
	if slices.Sort(counts); !slices.Equal(counts, []int{1, 1, 2}) {
		t.Errorf("one of three was not deleted at first, and they came %v times", y.times)
	}
}

// failOne deletes all messages but the first, and says of that one that it could not be. It
// returns the first one's name.
func failOne(t *testing.T, s *service, w http.ResponseWriter, r *http.Request) string {
	var in map[string]any
	err := json.NewDecoder(r.Body).Decode(&in)
	entries, _ := in["Entries"].([]any)
	if err != nil || len(entries) == 0 {
		t.Errorf("the request to delete: %v, %v", in, err)
		return ""
	}
	first, _ := entries[0].(map[string]any)["Id"].(string)
	in["Entries"] = entries[1:]
	body, err := json.Marshal(in)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	said := httptest.NewRecorder()
	s.queue.ServeHTTP(said, r)
	var out map[string]any
	if err := json.Unmarshal(said.Body.Bytes(), &out); err != nil {
		t.Error(err)
	}
	out["Failed"] = []any{map[string]any{"Id": first, "Code": "InternalError", "SenderFault": false}}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out) // The client is gone.
	return first
}

// What is wrong although all was taken is told, and all is deleted.
func TestAllMayBeTakenAndSomethingWrong(t *testing.T) {
	s := start(t, "alerts", servers()["double"])
	s.queue.Send("", "one", "two")
	wrong := errors.New("the engine rests")
	err := open(t, s.config()).Pull(t.Context(), func(_ context.Context, bodies [][]byte) (int, error) { return len(bodies), wrong })
	if lag, e := open(t, s.config()).Lag(t.Context()); !errors.Is(err, wrong) || e != nil || lag != 0 {
		t.Errorf("Pull says %v, and the lag is %d, %v", err, lag, e)
	}
}

// What SQS refuses is told with its code, after one call: the pauses are the caller's.
func TestRefusalsAreTold(t *testing.T) { onEach(t, "alerts", refusals) }

func refusals(t *testing.T, s *service) {
	s.queue.Send("", "one")
	for i, code := range []string{"RequestThrottled", "ThrottlingException", "OverLimit", "KmsDisabled", "AccessDeniedException", "ServiceUnavailable"} {
		status := http.StatusBadRequest
		if code == "ServiceUnavailable" {
			status = http.StatusServiceUnavailable
		}
		s.inTrouble(func(_ string, w http.ResponseWriter, _ *http.Request) bool {
			sqsfake.Refuse(w, status, code, "Not now.")
			return true
		})
		var y tally
		err := open(t, s.config()).Pull(t.Context(), alerts.Each(y.take))
		if err == nil || !strings.Contains(err.Error(), code) || s.called("ReceiveMessage") != i+1 || y.has("one") {
			t.Errorf("at %s Pull says %v, after %d calls", code, err, s.called("ReceiveMessage"))
		}
	}
	s.inTrouble(nil)
	var y tally
	stop := persist(t, open(t, s.config()), y.take)
	settle(t, s)
	if errs := stop(); len(errs) > 0 || !y.has("one") {
		t.Errorf("after that Pull says %q, and took %v", errs, y.times)
	}
}

// What a process received that died then comes to another once its time is over.
func TestADeadProcessLosesNothing(t *testing.T) { onEach(t, "alerts.fifo", dies) }

func dies(t *testing.T, s *service) {
	s.queue.Send("a", "a1", "a2")
	s.queue.Send("b", "b1")
	got, err := s.client().ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: aws.String(s.url()), VisibilityTimeout: 2})
	if err != nil || len(got.Messages) != 1 || aws.ToString(got.Messages[0].Body) != "a1" {
		t.Fatalf("the first message: %v, %v", got, err)
	}
	begun := time.Now()
	var mu sync.Mutex
	var order []string
	var waited time.Duration
	stop := persist(t, open(t, s.config()), func(_ context.Context, body []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if string(body) == "a1" {
			waited = time.Since(begun)
		}
		order = append(order, string(body))
		return nil
	})
	settle(t, s)
	if errs := stop(); len(errs) > 0 {
		t.Errorf("Pull says %q", errs)
	}
	// The group of what is hidden waits, the other does not.
	if diff := cmp.Diff([]string{"b1", "a1", "a2"}, order); diff != "" || waited < time.Second {
		t.Errorf("after %v (-want +got):\n%s", waited, diff)
	}
}

// While the engine does not take a message it comes again and again, holds up no other, and is
// moved to the dead-letter queue after as many times as the queue says.
func TestWhatIsNeverTakenIsMoved(t *testing.T) {
	s := start(t, "alerts", servers()["fauxqs"])
	q, _ := s.queue.(*fauxqs)
	s.queue.Send("", "one", "bad", "two")
	var y tally
	refused := errors.New("the engine does not take it")
	stop := persist(t, open(t, s.config()), func(ctx context.Context, body []byte) error {
		_ = y.take(ctx, body)
		if string(body) == "bad" {
			return refused
		}
		return nil
	})
	settle(t, s)
	errs := stop()
	if diff := cmp.Diff(map[string]int{"one": 1, "two": 1, "bad": received}, y.times); diff != "" {
		t.Errorf("what came, and how often (-want +got):\n%s", diff)
	}
	if len(errs) != received || !errors.Is(errors.Join(errs...), refused) {
		t.Errorf("Pull says %q", errs)
	}
	if moved := string(q.box(dead("alerts")).Messages); strings.Count(moved, `"messageId"`) != 1 || !strings.Contains(moved, `"body":"bad"`) {
		t.Errorf("the dead-letter queue holds %s", moved)
	}
}
