package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// slips are habits from other languages, with better messages than CEL's. Each
// pattern begins at the position of the fault.
var slips = []struct {
	begins *regexp.Regexp
	words  string
}{
	{regexp.MustCompile(`^=[=!<>]?`), "a single = compares nothing: write =="},
	{regexp.MustCompile(`(?i)^and\b`), "write && for and"},
	{regexp.MustCompile(`(?i)^or\b`), "write || for or"},
	{regexp.MustCompile(`^\s*([KMGT]i?B|B)\b`), "a size is written as bytes('%s')"},
	{regexp.MustCompile(`^\s*([kMG]bit)\b`), "a rate is a number of bits per second: write %s as one"},
	{regexp.MustCompile(`^\s*(ms|s|m|h|d)\b`), "a duration is written as duration('%s')"},
}

// number is a number that ends where a unit begins.
var number = regexp.MustCompile(`\d+(?:\.\d+)?\s*$`)

// slip returns a better message for a syntax error, with the position that it is
// about.
func slip(text string, offset int) (words string, at int, ok bool) {
	runes := []rune(text)
	if offset < 0 || offset > len(runes) {
		return "", 0, false
	}
	before, after := string(runes[:offset]), string(runes[offset:])
	for _, s := range slips {
		found := s.begins.FindStringSubmatch(after)
		if found == nil {
			continue
		}
		if !strings.Contains(s.words, "%s") {
			return s.words, offset, true
		}
		if n := number.FindString(before); n != "" {
			return fmt.Sprintf(s.words, strings.TrimSpace(n)+found[1]), offset - len(n), true
		}
	}
	return "", 0, false
}

// mismatch is the checker's message for an operator that does not take its
// operands.
var mismatch = regexp.MustCompile(`^found no matching overload for '_(==|!=|<|<=|>|>=|\+|-)_' applied to '\((.+), (.+)\)'$`)

// operandWords returns a plain message for an operator between a number and a
// text, with a suggestion.
func operandWords(message string, call ast.Expr) (string, bool) {
	found := mismatch.FindStringSubmatch(message)
	if found == nil || call == nil {
		return "", false
	}
	numbers := []string{cel.FormatCELType(cel.IntType), cel.FormatCELType(cel.UintType), cel.FormatCELType(cel.DoubleType)}
	left, right := slices.Contains(numbers, found[2]), slices.Contains(numbers, found[3])
	if left == right || !left && found[2] != "string" || !right && found[3] != "string" {
		return "", false
	}
	words := fmt.Sprintf("%s takes two numbers or two texts, and here are %s and %s", found[1], found[2], found[3])
	for _, arg := range call.AsCall().Args() {
		if arg.Kind() != ast.LiteralKind {
			continue
		}
		switch v := arg.AsLiteral().(type) {
		case types.String:
			if _, err := strconv.ParseFloat(string(v), 64); err == nil {
				return words + ": write " + string(v) + " without quotes", true
			}
			if _, err := incident.ParseSize(string(v)); err == nil {
				return words + ": write the size as bytes('" + string(v) + "')", true
			}
		case types.Int, types.Uint, types.Double:
			return words + fmt.Sprintf(": write '%v' in quotes", v.Value()), true
		}
	}
	return words, true
}

// node returns the part of an expression with an id.
func node(e ast.Expr, id int64) ast.Expr {
	var found ast.Expr
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(part ast.Expr) {
		if part.ID() == id && part.Kind() == ast.CallKind {
			found = part
		}
	}))
	return found
}
