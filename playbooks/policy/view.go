package policy

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// view is the input of one evaluation: the facts, and the lets as they are
// evaluated. It must not be used by several goroutines.
type view struct {
	facts reflect.Value
	vars  map[string]any
	// unknown holds the patterns of the unknown Values and lets, missing the
	// fields behind each, by path.
	unknown []*cel.AttributePatternType
	missing map[string][]incident.Missing
	// prepared is the activation of programs; nil after vars or unknown changed.
	prepared cel.PartialActivation
}

func newView(facts *incident.Facts, now time.Time, leaves []*leaf) *view {
	v := &view{
		facts:   reflect.ValueOf(facts).Elem(),
		vars:    map[string]any{nowName: types.Timestamp{Time: now.UTC()}},
		missing: map[string][]incident.Missing{},
	}
	for _, m := range schema().root.members {
		v.vars[m.name] = &object{shape: m.shape, v: v.facts.Field(m.index), path: m.name}
	}
	for _, l := range leaves {
		if _, ok, why := l.read(v.facts); !ok {
			v.unknown = append(v.unknown, l.pattern)
			v.missing[l.path] = []incident.Missing{{Path: l.path, Why: why}}
		}
	}
	return v
}

// outcome is the three-valued result of one expression.
type outcome struct {
	verdict incident.Verdict // of a value that is not bool: True
	value   ref.Val
	missing []incident.Missing
	err     string
	// fatal marks an error that a false operand does not override: the evaluation
	// was cut short.
	fatal bool
}

func failed(fatal bool, format string, args ...any) outcome {
	return outcome{verdict: incident.Failed, err: fmt.Sprintf(format, args...), fatal: fatal}
}

func (v *view) evaluate(ctx context.Context, e *expression) outcome {
	if v.prepared == nil {
		prepared, err := cel.PartialVars(v.vars, v.unknown...)
		if err != nil {
			return failed(true, "%v", err)
		}
		v.prepared = prepared
	}
	value, _, err := e.program.ContextEval(ctx, v.prepared)
	if err != nil {
		var cancelled interpreter.EvalCancelledError
		switch {
		case errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded:
			return failed(true, "the cost limit of %d is exceeded", maxCost)
		case ctx.Err() != nil:
			return failed(true, "evaluation was interrupted: %v", context.Cause(ctx))
		}
		return failed(false, "%v", err)
	}
	switch x := value.(type) {
	case *types.Unknown:
		return outcome{verdict: incident.Unsure, value: value, missing: v.behind(x, e)}
	case types.Bool:
		if !x {
			return outcome{verdict: incident.False, value: value}
		}
	}
	return outcome{verdict: incident.True, value: value}
}

// behind names the fields that made a value unknown. There is always one: a
// decision must not look sure because no field could be named.
func (v *view) behind(u *types.Unknown, e *expression) []incident.Missing {
	var out []incident.Missing
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			path := t.Variable()
			for _, q := range t.QualifierPath() {
				path += fmt.Sprintf(".%v", q)
			}
			under := v.missingUnder(path)
			if len(under) == 0 {
				under = []incident.Missing{{Path: path, Why: whyWithin(path)}}
			}
			out = append(out, under...)
		}
	}
	if len(out) == 0 {
		out = []incident.Missing{{Path: e.text}}
	}
	return sorted(out)
}

// whyWithin returns the reason for which a field of an element or of a function's
// result is unknown.
func whyWithin(path string) string {
	if strings.HasPrefix(path, "traffic.top.") {
		return "no sensor saw what was sent"
	}
	return "no factor was published"
}

// missingUnder returns the unknown fields at a path or below it.
func (v *view) missingUnder(path string) []incident.Missing {
	if m, ok := v.missing[path]; ok {
		return m
	}
	var out []incident.Missing
	for p, m := range v.missing {
		if strings.HasPrefix(p, path+".") {
			out = append(out, m...)
		}
	}
	return sorted(out)
}

// bind evaluates a let for the expressions after it. If it fails, those that use
// it fail, and no others.
func (v *view) bind(ctx context.Context, l binding) incident.LetTrace {
	o := v.evaluate(ctx, l.expr)
	trace := incident.LetTrace{Name: l.name, Unknown: o.missing, Error: o.err}
	switch o.verdict {
	case incident.Failed:
		v.vars[l.name] = types.NewErr("let %s: %s", l.name, o.err)
	case incident.Unsure:
		v.unknown = append(v.unknown, cel.AttributePattern(l.name))
		v.missing[l.name] = o.missing
	case incident.True, incident.False, incident.Skipped:
		v.vars[l.name] = o.value
		trace.Value = format(o.value)
	}
	v.prepared = nil
	return trace
}

// ask evaluates a guardrail or rule: every part of it, so that the trace is
// whole, and then their conjunction.
func (v *view) ask(ctx context.Context, c condition) (incident.ConditionTrace, []incident.Missing) {
	trace := incident.ConditionTrace{Name: c.name}
	all := outcome{verdict: incident.True}
	for _, e := range c.parts {
		o := v.evaluate(ctx, e)
		part := incident.PartTrace{Expr: e.text, Verdict: o.verdict}
		part.Values, part.Unknown = v.operands(e)
		trace.Parts = append(trace.Parts, part)
		all = and(all, o)
	}
	trace.Verdict, trace.Error = all.verdict, all.err
	return trace, all.missing
}

// and is CEL's conjunction: false with anything is false, then unknown overrides
// an error. An evaluation that was cut short is an error whatever the other
// operand is.
func and(a, b outcome) outcome {
	rank := func(o outcome) int {
		if o.fatal {
			return 0
		}
		return 1 + slices.Index([]incident.Verdict{incident.False, incident.Unsure, incident.Failed, incident.True}, o.verdict)
	}
	switch {
	case rank(b) < rank(a):
		return b
	case b.verdict == incident.Unsure && a.verdict == incident.Unsure:
		a.missing = append(slices.Clone(a.missing), b.missing...)
	}
	return a
}

// operands lists what an expression reads: the values that are known, and the
// fields that are not.
func (v *view) operands(e *expression) ([]incident.Operand, []incident.Missing) {
	var values []incident.Operand
	var missing []incident.Missing
	for _, r := range e.reads {
		if unknown, ok := v.missing[r.path]; ok {
			missing = append(missing, unknown...)
			continue
		}
		if len(r.leaves) == 0 {
			values = append(values, incident.Operand{Name: r.path, Value: formatAny(v.vars[r.path])})
		}
		for _, l := range r.leaves {
			if value, ok, why := l.read(v.facts); ok {
				values = append(values, incident.Operand{Name: l.path, Value: formatNative(value)})
			} else {
				missing = append(missing, incident.Missing{Path: l.path, Why: why})
			}
		}
	}
	return values, sorted(missing)
}
