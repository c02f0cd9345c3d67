package sqs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/sqs"
)

// A message that takes longer than it is hidden stays hidden.
func TestASlowMessageStaysHidden(t *testing.T) { onEach(t, "alerts", slow) }

func slow(t *testing.T, s *service) {
	c := s.config()
	c.Hidden = time.Second
	s.queue.Send("", "slow")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, other := open(t, c), open(t, c)
	let, reached := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		_ = first.Pull(ctx, alerts.Each(func(context.Context, []byte) error { close(reached); <-let; return nil }))
	})
	<-reached
	came := make(chan string, 10)
	running.Go(func() {
		_ = other.Pull(ctx, alerts.Each(func(_ context.Context, body []byte) error { came <- string(body); return nil }))
	})
	// Each of them is after a third of the time.
	until(t, "it was hidden again several times", func() bool { return s.called("ChangeMessageVisibilityBatch") > 8 })
	close(let)
	until(t, "it is deleted", func() bool { lag, err := first.Lag(ctx); return err == nil && lag == 0 })
	cancel()
	running.Wait()
	if len(came) > 0 {
		t.Errorf("while it is being taken, another receiver gets %q", <-came)
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// In a FIFO queue what is behind a message that is not taken waits, and other groups do not.
func TestGroupsKeepTheirOrder(t *testing.T) { onEach(t, "alerts.fifo", groups) }

func groups(t *testing.T, s *service) {
	s.queue.Send("a", "a1", "a2", "a3")
	s.queue.Send("b", "b1", "b2")
	p, refused := open(t, s.config()), errors.New("the engine rests")
	var mu sync.Mutex
	var taken []string
	err := p.Pull(t.Context(), alerts.Each(func(_ context.Context, body []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if string(body) == "a2" {
			return refused
		}
		taken = append(taken, string(body))
		return nil
	}))
	slices.Sort(taken)
	if !errors.Is(err, refused) || !slices.Equal(taken, []string{"a1", "b1", "b2"}) {
		t.Errorf("it took %q, and says %v", taken, err)
	}
	if lag, err := p.Lag(t.Context()); err != nil || lag != 2 {
		t.Errorf("the lag is %d, %v; want 2", lag, err)
	}
}

// The SDK itself tries nothing again: the pauses are the caller's.
func TestTheSDKTriesNothingAgain(t *testing.T) { onEach(t, "alerts", refused) }

func refused(t *testing.T, s *service) {
	c := s.config()
	c.SecretAccessKey = "another"
	p := open(t, c)
	_, err := p.Lag(t.Context())
	if err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") || strings.Contains(err.Error(), "another") {
		t.Errorf("with a wrong secret the error is %v", err)
	}
	if err := p.Pull(t.Context(), alerts.Each(func(context.Context, []byte) error { return nil })); err == nil || s.called("ReceiveMessage") != 1 {
		t.Errorf("with a wrong secret Pull returns %v", err)
	}
	c.SecretAccessKey = secret
	c.QueueURL = strings.TrimSuffix(c.QueueURL, "alerts") + "others"
	if _, err := open(t, c).Lag(t.Context()); err == nil || !strings.Contains(err.Error(), "NonExistentQueue") {
		t.Errorf("of a queue that is not there the error is %v", err)
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*sqs.Config){
		"":                           func(*sqs.Config) {},
		"queue_url is not":           func(c *sqs.Config) { c.QueueURL = "alerts" },
		"queue_url is http":          func(c *sqs.Config) { c.QueueURL = "http://sqs.eu-central-1.amazonaws.com/1/a" },
		"region is missing":          func(c *sqs.Config) { c.QueueURL = "https://queue.example/1/a" },
		"hidden is not":              func(c *sqs.Config) { c.Hidden = time.Millisecond },
		"secret_access_key go toget": func(c *sqs.Config) { c.AccessKeyID = "a" },
	} {
		c, _ := sqs.Transport().NewConfig().(*sqs.Config)
		c.QueueURL = "https://sqs.eu-central-1.amazonaws.com/123456789012/alerts"
		change(c)
		if err := c.Check(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("the check says %v, want %q", err, want)
		}
	}
}
