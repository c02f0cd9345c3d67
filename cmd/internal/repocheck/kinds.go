package repocheck

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
)

// Kinds checks that nobody outside of a vendor's folder asks which kind an
// integration is of: who wants to know what it can do asks its capabilities.
func Kinds(t *Tree) []Complaint {
	kinds := registeredKinds(t)
	var found []Complaint
	for _, f := range t.Go {
		if f.Test || vendor(f.Dir) != "" {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			var compared []ast.Expr
			switch n := n.(type) {
			case *ast.CaseClause:
				compared = n.List
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					compared = []ast.Expr{n.X, n.Y}
				}
			}
			for _, e := range compared {
				if kind := text(e); slices.Contains(kinds, kind) {
					found = append(found, t.at(f, e.Pos(), "compares with %q, which is a kind of integration or source: ask what it can do", kind))
				}
			}
			return true
		})
	}
	return found
}

// registeredKinds are the kinds that the vendors' folders describe.
func registeredKinds(t *Tree) []string {
	var kinds []string
	for _, f := range t.Go {
		if f.Test || vendor(f.Dir) == "" {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "Kind" && text(pair.Value) != "" {
					kinds = append(kinds, text(pair.Value))
				}
			}
			return true
		})
	}
	return kinds
}

// text is the value of a literal text, or nothing.
func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return value
}
