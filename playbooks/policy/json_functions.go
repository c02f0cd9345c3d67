package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// jsonFunctions are for expressions over JSON alone.
func jsonFunctions() []cel.EnvOption {
	return []cel.EnvOption{
		cel.Function("json", cel.Overload("json_string", []*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(parseJSON))),
		cel.Function("holds", cel.MemberOverload("asked_holds_string", []*cel.Type{cel.DynType, cel.StringType}, cel.BoolType, cel.BinaryBinding(holds))),
		cel.Function("digest", cel.Overload("digest_any", []*cel.Type{cel.TypeParamType("T")}, cel.StringType, cel.UnaryBinding(digest))),
	}
}

// costs says what our own functions cost: each reads its argument once.
func costs() cel.ProgramOption {
	track := func(args []ref.Val, _ ref.Val) *uint64 {
		cost := 1 + weight(args[0])/2
		return &cost
	}
	return cel.CostTrackerOptions(interpreter.OverloadCostTracker("json_string", track), interpreter.OverloadCostTracker("digest_any", track))
}

// weight is about how many bytes a value has.
func weight(v ref.Val) uint64 {
	plain, err := nativeOr(v)
	if err != nil {
		return 1
	}
	return weightOf(plain)
}

func weightOf(v any) uint64 {
	sum := uint64(8)
	switch v := v.(type) {
	case string:
		sum += uint64(len(v))
	case []any:
		for _, item := range v {
			sum += weightOf(item)
		}
	case map[string]any:
		for name, item := range v {
			sum += uint64(len(name)) + weightOf(item)
		}
	}
	return sum
}

// parseJSON reads JSON that stands in a text.
func parseJSON(v ref.Val) ref.Val {
	text, ok := v.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return types.NewErr("json: the text is not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return types.NewErr("json: the text goes on after its value")
	}
	return jsonAdapter{"json(…)"}.NativeToValue(value)
}

// digest names a value by what it holds, whatever the order of its keys.
func digest(v ref.Val) ref.Val {
	plain, err := native(v)
	if err != nil {
		return types.WrapErr(err)
	}
	data, err := json.Marshal(plain)
	if err != nil {
		return types.WrapErr(err)
	}
	sum := sha256.Sum256(data)
	return types.String(hex.EncodeToString(sum[:16]))
}

// Asked is an input that is no JSON: expressions ask it about a text, as in x.holds(text).
// Where it has no answer, why says for what reason.
type Asked func(text string) (holds bool, why string)

// asked is an [Asked] as a CEL value, without anything in it.
type asked struct {
	*jsonObject
	about Asked
}

func holds(target, text ref.Val) ref.Val {
	of, ok := target.(*asked)
	about, isText := text.(types.String)
	if !ok || !isText {
		return types.MaybeNoSuchOverloadErr(target)
	}
	answer, why := of.about(string(about))
	if why != "" {
		return types.NewErr("%s", why)
	}
	return types.Bool(answer)
}
