package repocheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
)

// ClosedSets checks that a switch over a closed set of ours has an operand: the
// linter then reports a missing member, which it cannot where each case is a
// comparison of its own.
func ClosedSets(t *Tree) []Complaint {
	members := t.members()
	var found []Complaint
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			s, ok := n.(*ast.SwitchStmt)
			if !ok || s.Tag != nil {
				return true
			}
			compared := map[string]int{}
			for _, clause := range s.Body.List {
				operand, set := members.comparison(f, clause)
				if operand == "" {
					continue
				}
				if compared[operand]++; compared[operand] == 2 {
					found = append(found, t.at(f, s.Pos(), "switch %s: each case compares it with a member of %s, so that a forgotten one is not seen", operand, set))
				}
			}
			return true
		})
	}
	return found
}

// members are the constants of our closed sets, as other packages write them,
// with the set's name.
type members map[string]string

func (t *Tree) members() members {
	all := members{}
	for _, f := range t.Go {
		for _, decl := range f.AST.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST || f.Test {
				continue
			}
			set := ""
			for _, spec := range gen.Specs {
				v, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				// Without a type and a value it repeats the one before, as with
				// iota.
				if typ, ok := v.Type.(*ast.Ident); ok && typ.IsExported() {
					set = typ.Name
				} else if v.Type != nil || v.Values != nil {
					set = ""
				}
				for _, name := range v.Names {
					if set != "" {
						all[path.Base(f.Dir)+"."+name.Name] = set
					}
				}
			}
		}
	}
	return all
}

// comparison returns the operand that a case compares with a member, and the
// member's set, where that is the whole case or its first operand.
func (m members) comparison(f GoFile, clause ast.Stmt) (operand, set string) {
	c, ok := clause.(*ast.CaseClause)
	if !ok || len(c.List) == 0 {
		return "", ""
	}
	e := c.List[0]
	for {
		b, ok := e.(*ast.BinaryExpr)
		if !ok {
			return "", ""
		}
		if set := m.set(f, b.Y); b.Op == token.EQL && set != "" {
			return types.ExprString(b.X), set
		}
		e = b.X
	}
}

// set returns the set of which an expression is a member, or an empty text.
func (m members) set(f GoFile, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return m[path.Base(f.Dir)+"."+e.Name]
	case *ast.SelectorExpr:
		return m[types.ExprString(e)]
	}
	return ""
}
