package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/stanch-soar/stanch/cmd/internal/embedded"
)

// StockSetup is what the process of the stock engine starts with. The process
// runs bare workflows on it, as many as each order says.
type StockSetup struct {
	Dir       string        `json:"dir"`
	SyncDelay time.Duration `json:"sync_delay"`
}

// order asks for bare workflows.
type order struct {
	Name     string `json:"name"`
	Count    int    `json:"count"`
	InFlight int    `json:"in_flight"`
}

// spent is what a number of workflows or cases took.
type spent struct {
	Took time.Duration `json:"took"`
	// Processor is the time of all processors, of the process that has the engine.
	Processor time.Duration `json:"processor"`
	Syncs     int64         `json:"syncs"`
	Error     string        `json:"error,omitempty"`
}

func (s spent) plus(o spent) spent {
	return spent{Took: s.Took + o.Took, Processor: s.Processor + o.Processor, Syncs: s.Syncs + o.Syncs}
}

// perSecond is how many of n were done a second.
func (s spent) perSecond(n int) float64 { return float64(n) / s.Took.Seconds() }

// measure runs what is measured.
func measure(syncs func() int64, do func() error) (spent, error) {
	processor, err := processorTime()
	if err != nil {
		return spent{}, err
	}
	before, began := syncs(), time.Now()
	if err := do(); err != nil {
		return spent{}, err
	}
	s := spent{Took: time.Since(began), Syncs: syncs() - before}
	after, err := processorTime()
	s.Processor = after - processor
	return s, err
}

// ServeStock runs the stock engine, and on it what is ordered, until the orders end.
func ServeStock(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	var setup StockSetup
	if err := orders.Decode(&setup); err != nil {
		return fmt.Errorf("read the setup of the stock engine: %w", err)
	}
	server, err := embedded.StartStock(ctx, embedded.Options{DataDir: setup.Dir, SyncDelay: setup.SyncDelay})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	c, err := client.Dial(client.Options{
		HostPort: server.HostPort(), Namespace: server.Namespace(), Logger: sdklog.NewStructuredLogger(quiet()),
		ConnectionOptions: client.ConnectionOptions{TLS: server.TLS()},
	})
	if err != nil {
		return fmt.Errorf("reach the stock engine: %w", err)
	}
	defer c.Close()
	bare, err := newBare(c)
	if err != nil {
		return err
	}
	defer bare.stop()
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order of the measurement: %w", err)
		}
		s, err := measure(server.Syncs, func() error { return bare.many(ctx, o) })
		if err != nil {
			s.Error = err.Error()
		}
		if err := answers.Encode(s); err != nil {
			return fmt.Errorf("answer the measurement: %w", err)
		}
	}
}

// many runs the bare workflows of an order.
func (b *yardstick) many(ctx context.Context, o order) error {
	return many(ctx, o.Count, o.InFlight, func(ctx context.Context, i int) error {
		return b.run(ctx, o.Name+"-"+strconv.Itoa(i))
	})
}

// stock is the stock engine, in another process where there is a command for it.
type stock struct {
	in      io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
	wait    func() error
}

func (b *bench) startStock(ctx context.Context) (*stock, error) {
	s, err := connectStock(ctx, b.Stock)
	if err != nil {
		return nil, fmt.Errorf("start the process of the stock engine: %w", err)
	}
	if err := s.orders.Encode(StockSetup{Dir: filepath.Join(b.Dir, "stock"), SyncDelay: b.SyncDelay}); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the stock engine: %w", err), s.stop())
	}
	if _, err := s.run(order{Name: "warm", Count: 1, InFlight: 1}); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func connectStock(ctx context.Context, command []string) (*stock, error) {
	if len(command) == 0 {
		here, orders := io.Pipe()
		answers, there := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := ServeStock(ctx, here, there)
			ended <- errors.Join(here.Close(), there.CloseWithError(err), err)
		}()
		return &stock{in: orders, orders: json.NewEncoder(orders), answers: json.NewDecoder(answers), wait: func() error { return <-ended }}, nil
	}
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	var said bytes.Buffer
	c.Stderr = &said
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &stock{in: in, orders: json.NewEncoder(in), answers: json.NewDecoder(out), wait: func() error {
		if err := c.Wait(); err != nil {
			return fmt.Errorf("the process of the stock engine: %w: %s", err, bytes.TrimSpace(said.Bytes()))
		}
		return nil
	}}, nil
}

// run runs bare workflows on the stock engine.
func (s *stock) run(o order) (spent, error) {
	if err := s.orders.Encode(o); err != nil {
		return spent{}, fmt.Errorf("order workflows on the stock engine: %w", err)
	}
	var answer spent
	if err := s.answers.Decode(&answer); err != nil {
		return spent{}, fmt.Errorf("read what workflows on the stock engine took: %w", err)
	}
	if answer.Error != "" {
		return spent{}, fmt.Errorf("run workflows on the stock engine: %s", answer.Error)
	}
	return answer, nil
}

// stop ends the orders, and waits for the process to end.
func (s *stock) stop() error { return errors.Join(s.in.Close(), s.wait()) }
