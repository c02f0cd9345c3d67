package repocheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxLines   = 400
	maxMethods = 4
)

// PackageComments checks that each package has exactly one package comment.
func PackageComments(t *Tree) []Complaint {
	comments := map[string][]string{}
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		if _, ok := comments[f.Dir]; !ok {
			comments[f.Dir] = nil
		}
		if f.AST.Doc != nil && strings.TrimSpace(f.AST.Doc.Text()) != "" {
			comments[f.Dir] = append(comments[f.Dir], path.Base(f.Path))
		}
	}
	var found []Complaint
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		switch files := comments[dir]; {
		case len(files) == 0:
			found = append(found, Complaint{dir, 0, "no file has a package comment"})
		case len(files) > 1:
			found = append(found, Complaint{dir, 0, "more than one package comment: " + strings.Join(files, ", ")})
		}
	}
	return found
}

// FileSizes checks that no file that people read grows too long.
func FileSizes(t *Tree) []Complaint {
	var found []Complaint
	for _, f := range t.Go {
		lines := bytes.Count(t.Text[f.Path], []byte("\n"))
		if !f.Test && !f.Generated && lines > maxLines {
			found = append(found, Complaint{f.Path, 0, fmt.Sprintf("%d lines, at most %d: divide it by ideas", lines, maxLines)})
		}
	}
	return found
}

// Code checks for forbidden constructs: init functions anywhere, panics in code
// that ships, and interfaces with too many methods to fake.
func Code(t *Tree) []Complaint {
	var found []Complaint
	for _, f := range t.Go {
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					found = append(found, t.at(f, n.Pos(), "an init function runs without a call: call it by name"))
				}
			case *ast.CallExpr:
				if !f.Test && called(n) == "panic" {
					found = append(found, t.at(f, n.Pos(), "a panic in code that ships: return an error"))
				}
			case *ast.InterfaceType:
				if m := t.methods(f.Dir, n, 0); m > maxMethods && !f.Generated {
					found = append(found, t.at(f, n.Pos(), "an interface of %d methods, at most %d: divide it", m, maxMethods))
				}
			}
			return true
		})
	}
	return found
}

func called(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if pkg, ok := fun.X.(*ast.Ident); ok {
			return pkg.Name + "." + fun.Sel.Name
		}
	}
	return ""
}

// methods counts an interface's methods. An embedded interface of the same
// package counts with its methods, one of another package as one; depth ends
// the walk of an interface that embeds itself, which does not compile.
func (t *Tree) methods(dir string, i *ast.InterfaceType, depth int) int {
	count := 0
	for _, field := range i.Methods.List {
		switch typ := field.Type.(type) {
		case *ast.FuncType:
			count += len(field.Names)
		case *ast.SelectorExpr:
			count++
		case *ast.Ident:
			if embedded := t.interfaceNamed(dir, typ.Name); embedded != nil && depth < maxMethods {
				count += t.methods(dir, embedded, depth+1)
			}
		}
	}
	return count
}

func (t *Tree) interfaceNamed(dir, name string) *ast.InterfaceType {
	for _, f := range t.Go {
		if f.Dir != dir {
			continue
		}
		for _, decl := range f.AST.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.Name == name {
					i, _ := s.Type.(*ast.InterfaceType)
					return i
				}
			}
		}
	}
	return nil
}

// Limits is the document that lists every reason for which a test is skipped.
const Limits = "docs/limits.md"

// Skips checks that every reason for which a test skips itself is listed in
// Limits. Of a format the text up to its first verb is searched.
func Skips(t *Tree) []Complaint {
	var found []Complaint
	for _, f := range t.Go {
		if !f.Test {
			continue
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				return true
			}
			if reason := literal(call.Args); len(reason) < 8 {
				found = append(found, t.at(f, n.Pos(), "a skip without a literal reason"))
			} else if !bytes.Contains(t.Text[Limits], []byte(reason)) {
				found = append(found, t.at(f, n.Pos(), "%s does not list the reason %q", Limits, reason))
			}
			return true
		})
	}
	return found
}

func literal(args []ast.Expr) string {
	if len(args) == 0 {
		return ""
	}
	lit, ok := args[0].(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	text, _, _ = strings.Cut(text, "%")
	return strings.TrimRight(text, ": ")
}

// Modules checks that importers of this module get the code that is tested here.
func Modules(t *Tree) []Complaint {
	directive := regexp.MustCompile(`(?m)^\s*(replace|exclude)\b`)
	var found []Complaint
	for file, text := range t.Text {
		if path.Base(file) != "go.mod" {
			continue
		}
		for _, at := range directive.FindAllIndex(text, -1) {
			found = append(found, Complaint{file, lineOf(text, at[1]), "replace and exclude hold only here, not for who imports us"})
		}
	}
	return sorted(found)
}

func sorted(found []Complaint) []Complaint {
	slices.SortFunc(found, func(a, b Complaint) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return found
}
