package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// Storm describes many alerts on few subjects for the process that sends them.
type Storm struct {
	// Address is the receiver's host and port.
	Address string `json:"address"`
	// First is the number of the first subject's host.
	First    int `json:"first"`
	Subjects int `json:"subjects"`
	Alerts   int `json:"alerts"`
	// Senders is how many requests are in flight at a time.
	Senders int `json:"senders"`
	// Path is where they are posted, and Another what they are made of, as alerts.Fill takes
	// it; without them they are small alerts of our own kind.
	Path    string `json:"path,omitempty"`
	Another string `json:"another,omitempty"`
}

// Sent is the report of a process that sent a storm.
type Sent struct {
	Took time.Duration `json:"took"`
	// Again is how many requests were answered that they are to be sent again, and
	// were.
	Again int64 `json:"again"`
}

// againAfter is the pause before a request is sent again.
const againAfter = time.Second

// Send sends the storm and returns when the last alert was accepted.
func (s Storm) Send(ctx context.Context) (Sent, error) {
	free := make(chan *line, s.Senders)
	for range s.Senders {
		l, err := dial(ctx, s.Address)
		if err != nil {
			return Sent{}, err
		}
		defer l.close()
		free <- l
	}
	var again atomic.Int64
	began := time.Now()
	err := many(ctx, s.Alerts, s.Senders, func(ctx context.Context, i int) error {
		l := <-free
		defer func() { free <- l }()
		body, err := s.body(i)
		if err != nil {
			return err
		}
		for {
			err := l.send(cmp.Or(s.Path, alertsPath), body)
			if !errors.Is(err, errAgain) {
				return err
			}
			again.Add(1)
			select {
			case <-ctx.Done():
				return err
			case <-time.After(againAfter):
			}
		}
	})
	return Sent{Took: time.Since(began), Again: again.Load()}, err
}

// body is the alert with this number in the storm.
func (s Storm) body(i int) ([]byte, error) {
	host, alert := s.First+i%s.Subjects, 2_000_000+i
	if s.Another == "" {
		return encode(host, alert)
	}
	return alerts.Fill(s.Another, alert, hostID(host), hostIP(host)), nil
}

// line is a connection on which alerts are sent one after the other. The client
// of net/http would cost the machine more than the receiver that is measured.
type line struct {
	conn net.Conn
	from *bufio.Reader
}

func dial(ctx context.Context, address string) (*line, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the receiver: %w", err)
	}
	return &line{conn, bufio.NewReaderSize(conn, 1<<10)}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// send posts an alert to a path and returns when it was accepted.
func (l *line) send(path string, body []byte) error {
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("send an alert: %w", err)
	}
	_, err := fmt.Fprintf(l.conn, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, secret, len(body), body)
	if err != nil {
		return fmt.Errorf("send an alert: %w", err)
	}
	resp, err := http.ReadResponse(l.from, nil)
	if err != nil {
		return fmt.Errorf("read the answer to an alert: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = read(path, resp)
	return err
}

// sendApart has another process send the storm, so that the senders' memory is not
// measured.
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

const (
	alertsPath = "/v1/alerts/bench"
	// patience is how long an answer may take.
	patience = time.Minute
)

func newClient(connections int) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
}

// send posts one alert for a host.
func (s sender) send(ctx context.Context, host, alert int) error {
	body, err := encode(host, alert)
	if err != nil {
		return err
	}
	_, err = s.call(ctx, http.MethodPost, alertsPath, secret, body)
	return err
}

// encode returns an alert for a host as it is posted.
func encode(host, alert int) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"id": fmt.Sprintf("alert-%d", alert), "category": "high_egress",
		"host": map[string]any{"id": hostID(host), "name": hostID(host), "ip": []string{hostIP(host)}, "os": "windows"},
	})
	if err != nil {
		return nil, fmt.Errorf("encode an alert: %w", err)
	}
	return body, nil
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
	return read(path, resp)
}

// errAgain reports that a request was not taken and is to be sent again.
var errAgain = errors.New("it is to be sent again")

// read returns the body of the answer, and an error unless it was a success.
func read(path string, resp *http.Response) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", path, err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests {
		return nil, fmt.Errorf("call %s: %s: %w: %s", path, resp.Status, errAgain, bytes.TrimSpace(data))
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("call %s: %s: %s", path, resp.Status, bytes.TrimSpace(data))
	}
	return data, nil
}
