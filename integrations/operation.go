package integrations

import (
	"context"
	"sync"
)

// Operation is what the engine begins on a product, which may make several calls: they are
// let through together, or none is. It is safe for concurrent use.
type Operation struct {
	mu    sync.Mutex
	ended bool
	after []func()
}

type operation struct{}

// Operate begins an operation. End must be called when it makes no more calls.
func Operate(ctx context.Context) (_ context.Context, end func()) {
	o := &Operation{}
	return context.WithValue(ctx, operation{}, o), o.end
}

// OperationOf returns the operation that a call is made for; nil where it is none, or it has
// ended, as for what is tidied up afterwards.
func OperationOf(ctx context.Context) *Operation {
	o, _ := ctx.Value(operation{}).(*Operation)
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return nil
	}
	return o
}

// OnEnd has do called when the operation ends, and reports whether it will be: it may have
// ended already.
func (o *Operation) OnEnd(do func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.after = append(o.after, do)
	}
	return !o.ended
}

func (o *Operation) end() {
	o.mu.Lock()
	after := o.after
	o.ended, o.after = true, nil
	o.mu.Unlock()
	for _, do := range after {
		do()
	}
}
