package kql

// query is a whole one.
type query struct {
	lets []let
	body *tabular
}

// let names a value or a table.
type let struct {
	name  string
	value expr
	table *tabular
}

// alias is what a let that is nothing but a name stands for.
func (l let) alias() string {
	if l.table == nil || len(l.table.ops) > 0 {
		return ""
	}
	return l.table.table
}

// tabular is a source of rows and what is done with them.
type tabular struct {
	table string     // the name of a table or of a let
	sub   *tabular   // one in parentheses
	union *unionOp   // a union that starts a query
	print []named    // one row of values
	ops   []operator // in their order
}

// operator is what follows a pipe.
type operator interface {
	apply(e *env, t Table) (Table, error)
}

// expr is a scalar expression.
type expr interface {
	compile(c *scope) (node, error)
}

type (
	literalExpr struct{ value }
	nameExpr    struct{ name string }
	memberExpr  struct {
		of   expr
		name string
	}
	indexExpr struct{ of, index expr }
	callExpr  struct {
		name string
		args []expr
	}
	binaryExpr struct {
		op          string
		left, right expr
	}
	minusExpr struct{ of expr }
	// inExpr is in, has_any and has_all, with a list or with one table.
	inExpr struct {
		op    string
		of    expr
		list  []expr
		table *tabular
	}
	betweenExpr struct {
		not          bool
		of, from, to expr
	}
)

// named is an expression with the name that it gives its column; an empty name
// leaves the choice to the language.
type named struct {
	name string
	expr expr
}

type (
	whereOp   struct{ cond expr }
	extendOp  struct{ columns []named }
	projectOp struct{ columns []named }
	// pickOp is project-away, project-keep, project-reorder and distinct.
	pickOp struct {
		how   string
		names []string
	}
	renameOp    struct{ columns []named }
	takeOp      struct{ n expr }
	countOp     struct{}
	summarizeOp struct {
		aggregates []named
		by         []named
	}
	sortOp struct {
		keys []sortKey
		top  expr // nil: all
	}
	unionOp struct {
		source string // the column that says whence a row is
		fuzzy  bool   // whether tables that are not there are left out
		legs   []*tabular
	}
	joinOp struct {
		kind  string
		right *tabular
		on    []joinKey
	}
	expandOp struct {
		columns []named
		// typ is the type of the elements; empty is dynamic.
		typ Type
	}
)

type sortKey struct {
	expr       expr
	ascending  bool
	nullsFirst bool
}

type joinKey struct{ left, right string }

// scalarExpr is toscalar: the first value of a table.
type scalarExpr struct{ table *tabular }

func (x scalarExpr) compile(s *scope) (node, error) {
	t, err := s.e.run(x.table, nil)
	if err != nil {
		return node{}, err
	}
	t = t.shown()
	if len(t.Columns) == 0 {
		return node{}, semanticf("toscalar(): the table has no column")
	}
	if len(t.Rows) == 0 {
		return fixed(t.Columns[0].Type, nil), nil
	}
	return fixed(t.Columns[0].Type, t.Rows[0][0]), nil
}

// starExpr is the * of arg_max and count.
type starExpr struct{}

func (starExpr) compile(*scope) (node, error) {
	return node{}, semanticf("'*' is not allowed here")
}
