package integrations

import (
	"context"
	"sync"
)

// Operation is what the engine begins on a product, which may make several calls: they are
// let through together, or none is. It is safe for concurrent use.
type Operation struct {
	mu    sync.Mutex
	after []func()
}

type operation struct{}

// Operate begins an operation. End must be called when it makes no more calls.
func Operate(ctx context.Context) (_ context.Context, end func()) {
	o := &Operation{}
	return context.WithValue(ctx, operation{}, o), o.end
}

// OperationOf returns the operation that a call is made for; nil where it is none.
func OperationOf(ctx context.Context) *Operation {
	o, _ := ctx.Value(operation{}).(*Operation)
	return o
}

// OnEnd has do called when the operation ends.
func (o *Operation) OnEnd(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.after = append(o.after, do)
}

func (o *Operation) end() {
	o.mu.Lock()
	after := o.after
	o.after = nil
	o.mu.Unlock()
	for _, do := range after {
		do()
	}
}
