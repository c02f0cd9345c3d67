package repocheck

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Fence is one fenced block of a Markdown file.
type Fence struct {
	// Line is the number of the block's first line of content.
	Line int
	Lang string
	Text string
}

// Fences returns the fenced blocks of a Markdown text, and the text with these
// blocks blanked, so that its lines keep their numbers.
func Fences(text []byte) (fences []Fence, prose string) {
	var open string
	var out strings.Builder
	line := 0
	for l := range strings.Lines(string(text)) {
		line++
		mark := strings.TrimSpace(l)
		switch {
		case open == "" && strings.HasPrefix(mark, "```"):
			open = mark[:len(mark)-len(strings.TrimLeft(mark, "`"))]
			lang, _, _ := strings.Cut(mark[len(open):], " ")
			fences = append(fences, Fence{Line: line + 1, Lang: lang})
		case open != "" && mark == open:
			open = ""
		case open != "":
			fences[len(fences)-1].Text += l
		default:
			out.WriteString(l)
			continue
		}
		out.WriteString("\n")
	}
	return fences, out.String()
}

// Command is one command that a document asks people to type.
type Command struct {
	Line int
	// Text is the whole command, with continued lines and here-documents.
	Text string
}

// Name is the command's first line, by which lists name it.
func (c Command) Name() string {
	first, _, _ := strings.Cut(c.Text, "\n")
	return first
}

// Commands returns the commands of a Markdown text: every one in a block of
// sh, and the lines after a prompt in a block of console.
func Commands(text []byte) []Command {
	var commands []Command
	fences, _ := Fences(text)
	for _, f := range fences {
		if f.Lang == "sh" || f.Lang == "console" {
			commands = append(commands, f.commands()...)
		}
	}
	return commands
}

func (f Fence) commands() []Command {
	lines := strings.Split(strings.TrimSuffix(f.Text, "\n"), "\n")
	here := regexp.MustCompile(`<<-?\s*'?"?(\w+)`)
	var commands []Command
	for i := 0; i < len(lines); i++ {
		typed, prompt := strings.CutPrefix(lines[i], "$ ")
		if f.Lang == "console" && !prompt || strings.TrimSpace(typed) == "" || strings.HasPrefix(typed, "#") {
			continue
		}
		c := Command{Line: f.Line + i, Text: typed}
		for strings.HasSuffix(c.Text, "\\") && i+1 < len(lines) {
			i++
			c.Text += "\n" + lines[i]
		}
		if end := here.FindStringSubmatch(c.Text); end != nil {
			for i+1 < len(lines) && lines[i] != end[1] {
				i++
				c.Text += "\n" + lines[i]
			}
		}
		commands = append(commands, c)
	}
	return commands
}

// Paths checks that the files, folders and headings that the documents name
// exist.
func Paths(t *Tree) []Complaint {
	var found []Complaint
	for _, file := range t.markdown() {
		_, prose := Fences(t.Text[file])
		line := 0
		for l := range strings.Lines(prose) {
			line++
			for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(l, -1) {
				if why := t.deadLink(file, link[1]); why != "" {
					found = append(found, Complaint{file, line, why})
				}
			}
			for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(l, -1) {
				if isPath(span[1]) && !t.exists(span[1]) {
					found = append(found, Complaint{file, line, fmt.Sprintf("names %s, which is not there", span[1])})
				}
			}
		}
	}
	return found
}

func (t *Tree) markdown() []string {
	var files []string
	for _, file := range slices.Sorted(maps.Keys(t.Text)) {
		if path.Ext(file) == ".md" {
			files = append(files, file)
		}
	}
	return files
}

func (t *Tree) deadLink(file, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	target, heading, _ := strings.Cut(link, "#")
	to := file
	if target != "" {
		to = path.Join(path.Dir(file), target)
	}
	if !t.exists(to) {
		return fmt.Sprintf("links to %s, which is not there", to)
	}
	if heading != "" && !slices.Contains(headings(t.Text[to]), heading) {
		return fmt.Sprintf("links to the heading #%s, which %s does not have", heading, to)
	}
	return ""
}

// headings returns the anchors of a Markdown text's headings.
func headings(text []byte) []string {
	_, prose := Fences(text)
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	var anchors []string
	for l := range strings.Lines(prose) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(l, "#"), " "); ok && strings.HasPrefix(l, "#") {
			plain := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors = append(anchors, strings.ReplaceAll(plain, " ", "-"))
		}
	}
	return anchors
}

// isPath reports whether a code span names something of this repository: it
// starts with one of its folders. A span with a placeholder, such as <name>, does
// not.
func isPath(span string) bool {
	if !regexp.MustCompile(`^[\w./*-]+$`).MatchString(span) {
		return false
	}
	top, _, ok := strings.Cut(span, "/")
	return ok && slices.Contains(append(layers(), "docs", ".ci"), top)
}

func (t *Tree) exists(name string) bool {
	name = strings.TrimSuffix(name, "/")
	if strings.Contains(name, "*") {
		hits, err := fs.Glob(t.fsys, name)
		return err == nil && len(hits) > 0
	}
	_, err := fs.Stat(t.fsys, name)
	return err == nil
}
