package policy

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// CEL counts what a call costs once it has returned. A sender writes texts and lists that
// facts hold, so that one call may ask for more memory, or for more time, than there is, and
// none of it would be counted. These are the most that a call may make or compare; whatever
// goes beyond them costs more than any evaluation may, so that nothing is refused that was not.
const (
	maxElements = 1_000_000
	maxCompared = 1_000_000
	maxMade     = 4 * maxElements // bytes: a character has up to four
	maxSearched = 10 * maxCompared
)

// measure says what is wrong with the size of what a call would make or compare, if anything
// is. The arguments may have any type.
type measure func(args []ref.Val) error

// measures are those of the calls that make much of little, by function and overload.
func measures() map[string]map[string]measure {
	texts := func(size func(args []ref.Val) int) measure {
		return func(args []ref.Val) error { return atMost(size(args), maxMade, "bytes") }
	}
	compared := func(most int) measure {
		return func(args []ref.Val) error {
			return atMost(product(length(args[0]), length(args[len(args)-1])), most, "comparisons")
		}
	}
	searched := func(args []ref.Val) error {
		return atMost(product(length(args[0]), length(args[1])), maxSearched, "comparisons")
	}
	elements := func(args []ref.Val) error {
		depth := types.Int(1)
		if len(args) > 1 {
			depth, _ = args[1].(types.Int)
		}
		return atMost(flat(args[0], depth, maxElements), maxElements, "elements")
	}
	return map[string]map[string]measure{
		"replace": {"string_replace_string_string": texts(replaced), "string_replace_string_string_int": texts(replaced)},
		"regex.replace": {
			"regex_replace_string_string_string": texts(matched), "regex_replace_string_string_string_int": texts(matched),
		},
		"join":        {"list_join": texts(joined), "list_join_string": texts(joined)},
		"format":      {"string_format": texts(formatted)},
		"flatten":     {"list_flatten": elements, "list_flatten_int": elements},
		"distinct":    {"list_distinct": compared(maxCompared)},
		"indexOf":     {"string_index_of_string": searched, "string_index_of_string_int": searched},
		"lastIndexOf": {"string_last_index_of_string": searched, "string_last_index_of_string_int": searched},

		"sets.contains":   {"list_sets_contains_list": compared(maxCompared)},
		"sets.intersects": {"list_sets_intersects_list": compared(maxCompared)},
		"sets.equivalent": {"list_sets_equivalent_list": compared(maxCompared)},
	}
}

func atMost(n, most int, of string) error {
	if n > most {
		return fmt.Errorf("it would take more than %d %s", most, of)
	}
	return nil
}

// withMeasures has calls measured before they run.
func withMeasures(e *cel.Env) (*cel.Env, error) {
	var options []cel.EnvOption
	for name, overloads := range measures() {
		decl, ok := e.Functions()[name]
		if !ok {
			return nil, fmt.Errorf("bound calls: there is no function %q", name)
		}
		bindings, err := decl.Bindings()
		if err != nil {
			return nil, fmt.Errorf("bound calls of %s: %w", name, err)
		}
		calls := map[string]func(args ...ref.Val) ref.Val{}
		for _, b := range bindings {
			switch {
			case b.Unary != nil:
				calls[b.Operator] = func(args ...ref.Val) ref.Val { return b.Unary(args[0]) }
			case b.Binary != nil:
				calls[b.Operator] = func(args ...ref.Val) ref.Val { return b.Binary(args[0], args[1]) }
			case b.Function != nil:
				calls[b.Operator] = b.Function
			}
		}
		for _, o := range decl.OverloadDecls() {
			m, call := overloads[o.ID()], calls[o.ID()]
			if m == nil || call == nil {
				return nil, fmt.Errorf("bound calls of %s: nothing measures %s", name, o.ID())
			}
			options = append(options, cel.Function(name, measured(o, m, call)))
		}
	}
	return e.Extend(options...)
}

// measured is an overload with a measure before its call.
func measured(o *decls.OverloadDecl, m measure, call func(args ...ref.Val) ref.Val) cel.FunctionOpt {
	f := func(args ...ref.Val) ref.Val {
		if err := m(args); err != nil {
			return types.WrapErr(err)
		}
		return call(args...)
	}
	binding := cel.FunctionBinding(f)
	switch len(o.ArgTypes()) {
	case 1:
		binding = cel.UnaryBinding(func(a ref.Val) ref.Val { return f(a) })
	case 2:
		binding = cel.BinaryBinding(func(a, b ref.Val) ref.Val { return f(a, b) })
	}
	if o.IsMemberFunction() {
		return cel.MemberOverload(o.ID(), o.ArgTypes(), o.ResultType(), binding)
	}
	return cel.Overload(o.ID(), o.ArgTypes(), o.ResultType(), binding)
}

// formatCost counts what format made, too: CEL counts only what it reads.
func formatCost() cel.ProgramOption {
	return cel.CostTrackerOptions(interpreter.OverloadCostTracker("string_format", func(args []ref.Val, made ref.Val) *uint64 {
		cost := uint64(1 + length(args[0])/10 + length(made)) //nolint:gosec // A length is not negative.
		return &cost
	}))
}

// length is how many characters or elements a value has.
func length(v ref.Val) int {
	s, ok := v.(traits.Sizer)
	if !ok {
		return 1
	}
	n, ok := s.Size().(types.Int)
	if !ok {
		return 1
	}
	return int(n)
}

func product(a, b int) int {
	if a > 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}

func text(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

// times is how often something is done at most, by the argument that may say it. A negative
// number is as often as it can be.
func times(n int, args []ref.Val) int {
	if len(args) > 3 {
		if most, ok := args[3].(types.Int); ok && most >= 0 && (n < 0 || int64(most) < int64(n)) {
			return int(most)
		}
	}
	return n
}

// replaced is how many bytes replace makes.
func replaced(args []ref.Val) int {
	s, old, by := text(args[0]), text(args[1]), text(args[2])
	n := times(strings.Count(s, old), args)
	return len(s) + product(n, len(by)) - n*len(old)
}

// matched is at least how many bytes regex.replace makes and reads of its replacement. It looks
// for the pattern only where that may be much.
func matched(args []ref.Val) int {
	s, by := text(args[0]), text(args[2])
	groups := strings.Count(by, `\`)
	if most := len(s) + product(times(len(s)+1, args), len(by)) + product(groups, len(s)); most <= maxMade {
		return most
	}
	pattern, err := regexp.Compile(text(args[1]))
	if err != nil {
		return 0 // The call says what is wrong.
	}
	// The first matches may be enough to know.
	for most := 128; ; most *= 8 {
		found := pattern.FindAllStringSubmatchIndex(s, times(most, args))
		made := len(s)
		for _, at := range found {
			made += len(by) + groupsIn(by, at)
		}
		if made > maxMade || len(found) < most {
			return made
		}
	}
}

// groupsIn is how many bytes the groups of a match take in its replacement.
func groupsIn(by string, at []int) int {
	n := 0
	for i := 0; i+1 < len(by); i++ {
		if by[i] != '\\' {
			continue
		}
		i++
		if group := 2 * int(by[i]-'0'); by[i] >= '0' && by[i] <= '9' && group+1 < len(at) {
			n += at[group+1] - at[group]
		}
	}
	return n
}

// joined is how many bytes join makes, or about the most that it may.
func joined(args []ref.Val) int {
	made, between := 0, 0
	if len(args) > 1 {
		between = len(text(args[1]))
	}
	list, ok := args[0].(traits.Lister)
	for i := 0; ok && i < length(list) && made <= maxMade; i++ {
		made += len(text(list.Get(types.Int(i))))
		if i > 0 {
			made += between
		}
	}
	return made
}

// aNumber is more than a number takes, with the precision that a format may ask for.
const aNumber = 512

// formatted is at least how many bytes format makes, or about the most that it may.
func formatted(args []ref.Val) int {
	return len(text(args[0])) + shown(args[1], maxMade)
}

// shown is at least how many bytes a value takes when it is shown. It ends beyond most.
func shown(v ref.Val, most int) int {
	switch v := v.(type) {
	case types.String:
		return aNumber + 2*len(v)
	case types.Bytes:
		return aNumber + 4*len(v)
	case traits.Mapper:
		made := aNumber
		for it := v.Iterator(); it.HasNext() == types.True && made <= most; {
			key := it.Next()
			made += shown(key, most-made)
			made += shown(v.Get(key), most-made)
		}
		return made
	case traits.Lister:
		made := aNumber
		for i := 0; i < length(v) && made <= most; i++ {
			made += shown(v.Get(types.Int(i)), most-made)
		}
		return made
	}
	return aNumber
}

// flat is how many elements a list has within its lists down to a depth, or about most where it
// has more.
func flat(v ref.Val, depth types.Int, most int) int {
	list, ok := v.(traits.Lister)
	if !ok || depth < 0 {
		return 1
	}
	n := 0
	for i := 0; i < length(list) && n <= most; i++ {
		n += max(1, flat(list.Get(types.Int(i)), depth-1, most-n))
	}
	return n
}
