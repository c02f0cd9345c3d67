package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"time"
)

// Storm is many alerts on few subjects, as the process that sends them is told.
type Storm struct {
	// Address is the receiver's host and port.
	Address string `json:"address"`
	// First is the number of the first subject's host.
	First    int `json:"first"`
	Subjects int `json:"subjects"`
	Alerts   int `json:"alerts"`
	// Senders is how many requests wait at a time.
	Senders int `json:"senders"`
}

// Sent is what a process that sent a storm says of it.
type Sent struct {
	Took time.Duration `json:"took"`
}

// Send sends the storm and returns when the last alert was accepted.
func (s Storm) Send(ctx context.Context) (Sent, error) {
	to := sender{address: s.Address, http: newClient(s.Senders)}
	began := time.Now()
	err := many(ctx, s.Alerts, s.Senders, func(ctx context.Context, i int) error {
		return to.send(ctx, s.First+i%s.Subjects, 2_000_000+i)
	})
	return Sent{Took: time.Since(began)}, err
}

// sendApart has another process send the storm: what the senders hold is none
// of the memory that is measured.
func (s Storm) sendApart(ctx context.Context, command []string) (Sent, error) {
	in, err := json.Marshal(s)
	if err != nil {
		return Sent{}, fmt.Errorf("encode the storm: %w", err)
	}
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &out, &said
	if err := c.Run(); err != nil {
		return Sent{}, fmt.Errorf("send the storm: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	var sent Sent
	if err := json.Unmarshal(out.Bytes(), &sent); err != nil {
		return Sent{}, fmt.Errorf("read what was sent: %w", err)
	}
	return sent, nil
}

// sender posts alerts to the receiver.
type sender struct {
	address string
	http    *http.Client
}

func newClient(connections int) *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
}

// send posts one alert for a host.
func (s sender) send(ctx context.Context, host, alert int) error {
	body, err := json.Marshal(map[string]any{
		"id": fmt.Sprintf("alert-%d", alert), "category": "high_egress",
		"host": map[string]any{"id": hostID(host), "name": hostID(host), "ip": []string{hostIP(host)}, "os": "windows"},
	})
	if err != nil {
		return fmt.Errorf("encode an alert: %w", err)
	}
	_, err = s.call(ctx, http.MethodPost, "/v1/alerts/bench", secret, body)
	return err
}

func (s sender) call(ctx context.Context, method, path, credential string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", path, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("call %s: %s: %s", path, resp.Status, bytes.TrimSpace(data))
	}
	return data, nil
}
