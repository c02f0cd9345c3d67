package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// yardstick is the yardstick: a workflow of four activities that do nothing.
type yardstick struct {
	client client.Client
	worker worker.Worker
}

const bareQueue = "bench-bare"

func newBare(c client.Client) (*yardstick, error) {
	w := worker.New(c, bareQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(bareWorkflow, workflow.RegisterOptions{Name: "bare"})
	w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "nothing"})
	if err := w.Start(); err != nil {
		return nil, fmt.Errorf("start the bare worker: %w", err)
	}
	return &yardstick{client: c, worker: w}, nil
}

func bareWorkflow(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for range 4 {
		if err := workflow.ExecuteActivity(ctx, "nothing").Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *yardstick) run(ctx context.Context, name string) error {
	run, err := b.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "bare/" + name, TaskQueue: bareQueue, EnableEagerStart: true}, "bare")
	if err != nil {
		return fmt.Errorf("start the bare workflow: %w", err)
	}
	return run.Get(ctx, nil)
}

func (b *yardstick) stop() { b.worker.Stop() }

// atRest times single cases, and single bare workflows on both engines between them.
func (b *bench) atRest(ctx context.Context, bare *yardstick) error {
	var cases, bares, stocks []time.Duration
	var whole, stock spent
	for i := range b.Alone {
		one, err := b.stock.run(order{Name: "alone-" + strconv.Itoa(i), Count: 1, InFlight: 1})
		if err != nil {
			return err
		}
		stocks, stock = append(stocks, one.Took), stock.plus(one)
		began := time.Now()
		if err := bare.run(ctx, "alone-"+strconv.Itoa(i)); err != nil {
			return err
		}
		bares = append(bares, time.Since(began))
		one, err = measure(b.service.Syncs, func() error {
			if err := b.to.send(ctx, b.Cases+i, i); err != nil {
				return err
			}
			return b.isolated(ctx, i+1)
		})
		if err != nil {
			return err
		}
		cases, whole = append(cases, one.Took), whole.plus(one)
		b.Progress("single cases at rest", i+1, b.Alone)
	}
	b.result.BareP50, b.result.CaseP50, b.result.CaseP99 = quantile(bares, 0.5), quantile(cases, 0.5), quantile(cases, 0.99)
	b.result.StockP50 = quantile(stocks, 0.5)
	b.result.CaseSyncsAtRest, b.result.StockSyncsAtRest = float64(whole.Syncs)/float64(b.Alone), float64(stock.Syncs)/float64(b.Alone)
	return nil
}

// throughput runs cases, and bare workflows on both engines, with the same number in
// flight, in turns, so that a busy neighbour slows all.
func (b *bench) throughput(ctx context.Context, bare *yardstick) error {
	const turns = 4
	var bares, cases, stocks spent
	each := b.Cases / turns
	for turn := range turns {
		o := order{Name: "many-" + strconv.Itoa(turn), Count: each, InFlight: b.InFlight}
		one, err := b.stock.run(o)
		if err != nil {
			return err
		}
		stocks = stocks.plus(one)
		if one, err = measure(b.service.Syncs, func() error { return bare.many(ctx, o) }); err != nil {
			return err
		}
		bares = bares.plus(one)
		if one, err = measure(b.service.Syncs, func() error { return b.cases(ctx, turn*each, each) }); err != nil {
			return err
		}
		cases = cases.plus(one)
	}
	n := each * turns
	r := &b.result
	r.BarePerSecond, r.CasesPerSecond, r.StockPerSecond = bares.perSecond(n), cases.perSecond(n), stocks.perSecond(n)
	r.CaseRatio, r.StockRatio = r.CasesPerSecond/r.BarePerSecond, r.CasesPerSecond/r.StockPerSecond
	r.CaseSyncs, r.StockSyncs = float64(cases.Syncs)/float64(n), float64(stocks.Syncs)/float64(n)
	r.CaseProcessor, r.StockProcessor = cases.Processor/time.Duration(n), stocks.Processor/time.Duration(n)
	return nil
}

// cases contains the subjects, InFlight at a time.
func (b *bench) cases(ctx context.Context, from, n int) error {
	before := b.estate.Count("apply", incident.Isolate)
	slots := make(chan struct{}, b.InFlight)
	waiting := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		freed := 0
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for freed < n {
			select {
			case <-ctx.Done():
				waiting <- ctx.Err()
				return
			case <-ticker.C:
			}
			done := b.estate.Count("apply", incident.Isolate) - before
			b.Progress("distinct subjects", from+done, b.Cases)
			for ; freed < done; freed++ {
				<-slots
			}
		}
		waiting <- nil
	}()
	err := many(ctx, n, b.InFlight, func(ctx context.Context, i int) error {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		return b.to.send(ctx, from+i, 1_000_000+from+i)
	})
	if err != nil {
		cancel()
	}
	if unfinished := <-waiting; err == nil {
		err = unfinished
	}
	return err
}

// storm sends many alerts on few subjects.
func (b *bench) storm(ctx context.Context, _ *yardstick) error {
	before := b.estate.Count("apply", incident.Isolate)
	first := b.Cases + b.Alone
	s := Storm{Address: b.service.Address(), First: first, Subjects: b.StormSubjects, Alerts: b.StormAlerts, Senders: b.StormSenders}
	sent, err := b.sent(ctx, s)
	if err != nil {
		return err
	}
	b.Progress("storm, alerts accepted", b.StormAlerts, b.StormAlerts)
	b.result.StormPerSecond = float64(b.StormAlerts) / sent.Took.Seconds()
	b.result.StormWaiting, b.result.StormAgain = b.StormSenders, sent.Again
	b.result.StormContained = b.estate.Count("apply", incident.Isolate) - before
	if err := b.isolated(ctx, before+b.StormSubjects); err != nil {
		return err
	}
	return b.countStorm(ctx, first)
}

// sent sends a storm, from a process of its own where there is a command for it.
func (b *bench) sent(ctx context.Context, s Storm) (Sent, error) {
	if len(b.Sender) > 0 {
		return s.sendApart(ctx, b.Sender)
	}
	return s.Send(ctx)
}

// countStorm reads from the cases themselves how many there are, and how many
// alerts they have.
func (b *bench) countStorm(ctx context.Context, first int) error {
	if err := b.listStorm(ctx, first); err != nil {
		return err
	}
	for i := range b.StormSubjects {
		data, err := b.to.call(ctx, http.MethodGet, "/v1/cases/bench/"+hostID(first+i), b.token, nil)
		if err != nil {
			return err
		}
		var c incident.Case
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("read a case: %w", err)
		}
		b.result.StormRecorded += c.AlertCount
		b.Progress("counting the storm", i+1, b.StormSubjects)
	}
	return nil
}

// listed is how long the list of cases may lag behind.
const listed = 10 * time.Second

// listStorm counts the storm's cases in the list, when all are in it.
func (b *bench) listStorm(ctx context.Context, first int) error {
	storm := map[string]bool{}
	for i := range b.StormSubjects {
		storm[hostID(first+i)] = true
	}
	for until := time.Now().Add(listed); ; {
		data, err := b.to.call(ctx, http.MethodGet, "/v1/cases?status=open&limit=1000", b.token, nil)
		if err != nil {
			return err
		}
		var list api.CaseList
		if err := json.Unmarshal(data, &list); err != nil {
			return fmt.Errorf("read the list of cases: %w", err)
		}
		b.result.StormCases = 0
		for _, s := range list.Cases {
			if storm[s.Subject] {
				b.result.StormCases++
			}
		}
		if b.result.StormCases >= b.StormSubjects || time.Now().After(until) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("list the cases of the storm: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// PeakMemory is the most resident memory that this process has had, in bytes,
// as Linux counts it.
func PeakMemory() (int64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the process's memory: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read the process's memory from %q: %w", line, err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("read the process's memory: the system does not report it")
}
