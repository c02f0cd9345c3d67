package policy

import (
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
)

type conjunct struct {
	expr ast.Expr
	text string
}

// conjuncts splits a condition at its outer && and gives each part the text
// that its author wrote, on one line. Where that text would read as something
// else (a bracket around several parts, a comment, spaces within a string) the
// part is written anew.
func conjuncts(env *cel.Env, text string, tree *ast.AST) []conjunct {
	var parts []ast.Expr
	var cuts []int
	flatten(tree.Expr(), tree.SourceInfo(), text, &parts, &cuts)
	slices.Sort(cuts)
	runes := []rune(text)
	out := make([]conjunct, len(parts))
	start := 0
	for i, part := range parts {
		end := len(runes)
		if i < len(cuts) {
			end = cuts[i]
		}
		out[i] = conjunct{part, wording(env, string(runes[start:max(start, end)]), part, tree.SourceInfo())}
		start = min(end+len("&&"), len(runes))
	}
	return out
}

func flatten(e ast.Expr, info *ast.SourceInfo, text string, parts *[]ast.Expr, cuts *[]int) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "_&&_" {
		*parts = append(*parts, e)
		return
	}
	*cuts = append(*cuts, offsetIn(text, info.GetStartLocation(e.ID())))
	for _, arg := range e.AsCall().Args() {
		flatten(arg, info, text, parts, cuts)
	}
}

func wording(env *cel.Env, written string, part ast.Expr, info *ast.SourceInfo) string {
	folded := fold(written)
	canonical, err := cel.ExprToString(part, info)
	if err != nil {
		return folded
	}
	parsed, issues := env.Parse(folded)
	if issues.Err() != nil {
		return canonical
	}
	again, err := cel.ExprToString(parsed.NativeRep().Expr(), parsed.NativeRep().SourceInfo())
	if err != nil || again != canonical {
		return canonical
	}
	return folded
}
