package policy

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/env"
	"github.com/google/cel-go/ext"
)

// The bounds of an expression. A hand-written policy stays far below: the six
// conditions of a large one cost about 60.
const (
	maxExpression = 10_000 // code points
	maxNesting    = 2      // comprehensions within one another
	maxRegex      = 1_000  // instructions of the compiled program
	maxRange      = 10_000 // elements that lists.range makes
	maxCost       = 100_000
	// checkEvery is after how many steps of a comprehension a cancelled
	// context ends it.
	checkEvery = 100
)

const (
	alertName     = "alert"
	nowName       = "now"
	processName   = "process"
	candidateName = "candidate"
)

// The environments declare what every expression of every playbook can see.
// Which facts a playbook provides is checked separately, for a message of its
// own. In a playbook that was deployed before candidates existed, a let may have
// their name.
var (
	baseEnv       = sync.OnceValues(func() (*cel.Env, error) { return declare("") })
	ownCandidates = sync.OnceValues(func() (*cel.Env, error) { return declare(candidateName) })
)

// libraries declares what expressions can use whatever they read.
func libraries(checks ...cel.ASTValidator) (*cel.Env, error) {
	subset := env.NewLibrarySubset().AddExcludedMacros("has")
	for _, name := range unlistedFunctions() {
		subset.AddExcludedFunctions(env.NewFunction(name))
	}
	e, err := cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(subset)), cel.OptionalTypes(),
		ext.Strings(), ext.Lists(ext.ListsMaxRangeSize(maxRange)), ext.Sets(), ext.Math(), ext.Regex(), ext.Network(),
		cel.DefaultUTCTimeZone(true),
		cel.EnableMacroCallTracking(), // a condition is compared with its text; see conjuncts
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(append(checks,
			cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateComprehensionNestingLimit(maxNesting))...),
	)
	if err != nil {
		return nil, fmt.Errorf("declare CEL libraries: %w", err)
	}
	return withMeasures(e)
}

// declare declares all facts but one.
func declare(but string) (*cel.Env, error) {
	e, err := libraries(cel.ValidateHomogeneousAggregateLiterals())
	if err != nil {
		return nil, err
	}
	s := schema()
	options := []cel.EnvOption{cel.CustomTypeProvider(provider{e.CELTypeProvider(), s}), cel.Variable(nowName, cel.TimestampType)}
	for _, m := range s.root.members {
		if m.name != but {
			options = append(options, cel.Variable(m.name, m.typ))
		}
	}
	if e, err = e.Extend(append(options, ownFunctions()...)...); err != nil {
		return nil, fmt.Errorf("declare facts: %w", err)
	}
	return e, nil
}

func programOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize, cel.OptPartialEval),
		cel.CostLimit(maxCost), formatCost(),
		cel.InterruptCheckFrequency(checkEvery),
	}
}
