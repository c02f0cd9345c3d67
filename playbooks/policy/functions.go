package policy

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Function documents one function that expressions can call in addition to CEL's
// own.
type Function struct {
	Name       string
	Signatures []string
	Doc        string
	// Example is an expression that is true.
	Example string
}

// Functions returns the functions that a reader of a playbook may not know from
// CEL itself: Stanch's own, and those for addresses.
//
// The signatures are those that the environment declares. If it cannot be built
// they are missing here, and Compile returns the error.
func Functions() []Function {
	out := documented()
	env, err := baseEnv()
	if err != nil {
		return out
	}
	declared := env.Functions()
	for i := range out {
		decl, ok := declared[out[i].Name]
		if !ok {
			continue
		}
		for _, o := range decl.OverloadDecls() {
			out[i].Signatures = append(out[i].Signatures, signature(out[i].Name, o))
		}
	}
	return out
}

func documented() []Function {
	return []Function{
		{
			Name:    "known",
			Doc:     "Reports whether a value is known. It is false where the value, or anything that the expression needs, is unknown; an error stays an error.",
			Example: `known(now)`,
		},
		{
			Name:    "bytes",
			Doc:     "Reads a size, with KiB, MiB, GiB, KB, MB or GB, as bytes. It takes the place of CEL's conversion of the same name.",
			Example: `bytes('10MiB') == 10485760`,
		},
		{Name: "max", Doc: "The larger of two values.", Example: `max(2, 10) == 10`},
		{Name: "min", Doc: "The smaller of two values.", Example: `min(duration('1h'), duration('15m')) == duration('15m')`},
		{
			Name: "amplification",
			Doc: "Looks a port and a transport (udp, tcp) up in the shipped table of services that amplify, and gives an object with " +
				"service, factor_low, factor_high and confidence (A measured by several, B by one, C on lists only). " +
				"For a port that is not in the table the texts are empty and the factors 0; " +
				"for a listed service without a published factor the factors are unknown. A factor is a prior, never the factor of this traffic.",
			Example: `amplification(123, 'udp').service == 'NTP' && amplification(123, 'udp').factor_high > 500.0`,
		},
		{Name: "ip", Doc: "Reads an address, or takes it from a network.", Example: `ip('192.0.2.1').family() == 4`},
		{Name: "cidr", Doc: "Reads a network.", Example: `cidr('10.0.0.0/8').containsIP('10.1.2.3')`},
		{Name: "containsIP", Doc: "Reports whether a network holds an address.", Example: `!cidr('10.0.0.0/8').containsIP('192.0.2.1')`},
		{Name: "isIP", Doc: "Reports whether a text is an address.", Example: `isIP('2001:db8::1') && !isIP('ws-042')`},
	}
}

func signature(name string, o *decls.OverloadDecl) string {
	args := o.ArgTypes()
	prefix := ""
	if o.IsMemberFunction() {
		prefix = cel.FormatCELType(args[0]) + "."
		args = args[1:]
	}
	var names []string
	for _, a := range args {
		names = append(names, cel.FormatCELType(a))
	}
	return fmt.Sprintf("%s%s(%s) -> %s", prefix, name, strings.Join(names, ", "), cel.FormatCELType(o.ResultType()))
}

// amplification is the result of the function of that name.
type amplification struct {
	Service    string                  `json:"service" doc:"Name of the service; empty where none is known on the port."`
	FactorLow  incident.Value[float64] `json:"factor_low" doc:"Low end of the published factors."`
	FactorHigh incident.Value[float64] `json:"factor_high" doc:"High end of the published factors."`
	Confidence string                  `json:"confidence" doc:"A, B or C."`
}

func ownFunctions() []cel.EnvOption {
	return append(sharedFunctions(), cel.Function("amplification", cel.Overload("amplification_int_string", []*cel.Type{cel.IntType, cel.StringType},
		cel.ObjectType(reflect.TypeFor[amplification]().Name()), cel.BinaryBinding(lookUpAmplification))))
}

// sharedFunctions are those for expressions that read no facts, too.
func sharedFunctions() []cel.EnvOption {
	options := []cel.EnvOption{
		cel.Function("bytes", cel.Overload("size_to_int", []*cel.Type{cel.StringType}, cel.IntType, cel.UnaryBinding(sizeToInt))),
		cel.Function("known", cel.Overload("known_any", []*cel.Type{cel.TypeParamType("T")}, cel.BoolType,
			cel.OverloadIsNonStrict(), cel.UnaryBinding(known))),
	}
	for _, t := range []*cel.Type{cel.IntType, cel.DoubleType, cel.DurationType} {
		pair := []*cel.Type{t, t}
		name := cel.FormatCELType(t)
		options = append(options,
			cel.Function("max", cel.Overload("max_"+name, pair, t, cel.BinaryBinding(larger))),
			cel.Function("min", cel.Overload("min_"+name, pair, t, cel.BinaryBinding(smaller))))
	}
	return options
}

func known(v ref.Val) ref.Val {
	if types.IsError(v) {
		return v
	}
	return types.Bool(!types.IsUnknown(v))
}

func sizeToInt(v ref.Val) ref.Val {
	text, ok := v.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	n, err := incident.ParseSize(string(text))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Int(n)
}

func larger(a, b ref.Val) ref.Val  { return pick(a, b, types.IntOne) }
func smaller(a, b ref.Val) ref.Val { return pick(a, b, types.IntNegOne) }

// pick returns a when a compares to b as wanted, and b otherwise. A NaN is
// neither larger nor smaller; it is an error, as with any other comparison.
func pick(a, b ref.Val, wanted types.Int) ref.Val {
	var order ref.Val
	switch x := a.(type) {
	case types.Int:
		order = x.Compare(b)
	case types.Double:
		order = x.Compare(b)
	case types.Duration:
		order = x.Compare(b)
	default:
		return types.MaybeNoSuchOverloadErr(a)
	}
	if types.IsError(order) {
		return order
	}
	if order == wanted {
		return a
	}
	return b
}

func lookUpAmplification(port, transport ref.Val) ref.Val {
	p, okPort := port.(types.Int)
	t, okTransport := transport.(types.String)
	if !okPort || !okTransport {
		return types.MaybeNoSuchOverloadErr(port)
	}
	a := amplification{FactorLow: incident.Known(0.0, incident.Computed), FactorHigh: incident.Known(0.0, incident.Computed)}
	// The range check comes first: where int has 32 bits, the conversion turns
	// huge numbers into valid ports.
	if p > 0 && p <= 65535 {
		name, _ := incident.Transports().Word(string(t))
		if s, ok := traffic.Amplification(int(p), name); ok {
			a = describeService(s)
		}
	}
	path := fmt.Sprintf("amplification(%d, '%s')", int64(p), bounded(string(t)))
	return &object{schema().shapeOfAmplification(), reflect.ValueOf(a), path}
}

func describeService(s traffic.AmplificationService) amplification {
	a := amplification{Service: s.Service, Confidence: s.Confidence}
	if s.HasFactor() {
		a.FactorLow = incident.Known(s.FactorLow, incident.Computed)
		a.FactorHigh = incident.Known(s.FactorHigh, incident.Computed)
	}
	return a
}

func (f *facts) shapeOfAmplification() *shape {
	return f.shapes[reflect.TypeFor[amplification]().Name()]
}

// unlistedFunctions are parts of CEL that a policy cannot use: dyn and type would
// defeat the type check that rejects a misspelt field at load, and the name of
// the conversion to bytes is used for sizes.
func unlistedFunctions() []string { return []string{"bytes", "dyn", "type"} }
