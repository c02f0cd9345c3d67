package kql

import (
	"slices"
	"strings"
)

func (p *parser) union() (*unionOp, error) {
	hints, err := p.hints("kind", "withsource", "isfuzzy")
	if err != nil {
		return nil, err
	}
	if k := hints["kind"]; k != "" && k != "outer" {
		return nil, syntaxf("union kind=%s is not supported", k)
	}
	u := &unionOp{source: hints["withsource"], fuzzy: hints["isfuzzy"] == "true"}
	for {
		var leg *tabular
		if p.punct("(") {
			if leg, err = p.tabular(); err != nil {
				return nil, err
			}
			if err := p.need(")"); err != nil {
				return nil, err
			}
		} else {
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			leg = &tabular{table: name}
		}
		u.legs = append(u.legs, leg)
		if !p.punct(",") {
			return u, nil
		}
	}
}

func (p *parser) join() (operator, error) {
	hints, err := p.hints("kind")
	if err != nil {
		return nil, err
	}
	j := joinOp{kind: hints["kind"]}
	if j.kind == "" {
		j.kind = "innerunique"
	}
	if p.punct("(") {
		if j.right, err = p.tabular(); err != nil {
			return nil, err
		}
		err = p.need(")")
	} else {
		var name string
		name, err = p.name()
		j.right = &tabular{table: name}
	}
	if err != nil {
		return nil, err
	}
	if err := p.needWord("on"); err != nil {
		return nil, err
	}
	for {
		k, err := p.joinKey()
		if err != nil {
			return nil, err
		}
		j.on = append(j.on, k)
		if !p.punct(",") {
			return j, nil
		}
	}
}

// joinKey takes a column of both sides, or $left.A == $right.B.
func (p *parser) joinKey() (joinKey, error) {
	if t := p.peek(); t.kind != punct || t.text != "$" {
		name, err := p.name()
		return joinKey{name, name}, err
	}
	first, firstName, err := p.side()
	if err != nil {
		return joinKey{}, err
	}
	if err := p.need("=="); err != nil {
		return joinKey{}, err
	}
	second, secondName, err := p.side()
	switch {
	case err != nil:
		return joinKey{}, err
	case first == "left" && second == "right":
		return joinKey{firstName, secondName}, nil
	case first == "right" && second == "left":
		return joinKey{secondName, firstName}, nil
	}
	return joinKey{}, semanticf("join: a condition compares $left with $right")
}

func (p *parser) side() (side, column string, err error) {
	if err := p.need("$"); err != nil {
		return "", "", err
	}
	if side, err = p.name(); err != nil {
		return "", "", err
	}
	if err := p.need("."); err != nil {
		return "", "", err
	}
	column, err = p.name()
	return strings.ToLower(side), column, err
}

// expand is mv-expand, whose column may be given a type.
func (p *parser) expand() (operator, error) {
	columns, err := p.namedList()
	if err != nil || !p.word("to") {
		return expandOp{columns: columns}, err
	}
	if err := p.needWord("typeof"); err != nil {
		return nil, err
	}
	if err := p.need("("); err != nil {
		return nil, err
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	typ := Type(name)
	if !slices.Contains([]Type{String, Int, Long, Real, Bool, Datetime, Dynamic}, typ) {
		return nil, syntaxf("The type %q is not recognized", name)
	}
	return expandOp{columns, typ}, p.need(")")
}
