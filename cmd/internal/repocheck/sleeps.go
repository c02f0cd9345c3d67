package repocheck

import (
	"go/ast"
	"go/token"
	"slices"
)

// Sleeps checks that no test waits for a time to pass instead of for what it
// wants to see: it would be slow where the machine is fast, and fail where the
// machine is slow. A time may bound a wait, as one case of a select next to the
// condition, and a ticker may pace how often the condition is looked at. Within
// bubbletest.Run time is simulated, and passes at once.
func Sleeps(t *Tree) []Complaint {
	var found []Complaint
	for _, f := range t.Go {
		if !f.Test && !IsDouble(f.Dir) {
			continue
		}
		for _, decl := range f.AST.Decls {
			for _, pos := range sleeps(decl) {
				found = append(found, t.at(f, pos, "a sleep in a test: wait for the condition"))
			}
		}
	}
	return found
}

// sleeps finds, in one declaration, statements that wait for a time only.
func sleeps(decl ast.Decl) []token.Pos {
	var found []token.Pos
	timers := timersIn(decl)
	bounds := map[ast.Stmt]bool{}
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if called(n) == "bubbletest.Run" {
				return false
			}
			if called(n) == "time.Sleep" {
				found = append(found, n.Pos())
			}
		case *ast.SelectStmt:
			cases := commsOf(n)
			// Where another channel is waited for too, the time is its bound.
			if slices.ContainsFunc(cases, func(s ast.Stmt) bool { return !timers.receives(s) }) {
				for _, s := range cases {
					bounds[s] = true
				}
			}
		case ast.Stmt:
			if timers.receives(n) && !bounds[n] {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

// commsOf returns the communications of a select; its default is nil.
func commsOf(s *ast.SelectStmt) []ast.Stmt {
	var comms []ast.Stmt
	for _, clause := range s.Body.List {
		if c, ok := clause.(*ast.CommClause); ok {
			comms = append(comms, c.Comm)
		}
	}
	return comms
}

// timers are the names that hold the channel of a timer, or a timer.
type timers map[string]bool

func timersIn(decl ast.Decl) timers {
	names := timers{}
	ast.Inspect(decl, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != len(assign.Rhs) {
			return true
		}
		for i, value := range assign.Rhs {
			if name, ok := assign.Lhs[i].(*ast.Ident); ok && names.holds(value) {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}

// holds reports whether an expression is a timer or its channel.
func (names timers) holds(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return names[e.Name]
	case *ast.SelectorExpr:
		return e.Sel.Name == "C" && names.holds(e.X)
	case *ast.CallExpr:
		return slices.Contains([]string{"time.After", "time.NewTimer"}, called(e))
	}
	return false
}

// receives reports whether a statement receives from a timer.
func (names timers) receives(s ast.Stmt) bool {
	var value ast.Expr
	switch s := s.(type) {
	case *ast.ExprStmt:
		value = s.X
	case *ast.AssignStmt:
		value = s.Rhs[0]
	}
	receive, ok := value.(*ast.UnaryExpr)
	if !ok || receive.Op != token.ARROW {
		return false
	}
	// A ticker without a variable ticks only once.
	call, ok := receive.X.(*ast.CallExpr)
	return ok && called(call) == "time.Tick" || names.holds(receive.X)
}
