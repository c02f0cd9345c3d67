package term

import "strings"

// gap separates columns, leastColumn is what a column keeps of its width.
const (
	gap         = 2
	leastColumn = 6
)

// Table shows rows below headers, aligned. On an output with a width the widest
// columns are cut until the table fits.
func (p *Printer) Table(headers []string, rows [][]string) error {
	table := make([][]string, 0, len(rows)+1)
	widths := make([]int, len(headers))
	for _, row := range append([][]string{headers}, rows...) {
		cells := make([]string, len(headers))
		for i := range cells {
			if i < len(row) {
				cells[i] = p.text(row[i])
			}
			widths[i] = max(widths[i], columns(cells[i]))
		}
		table = append(table, cells)
	}
	p.fit(widths)
	for i, cells := range table {
		look := plain
		if i == 0 {
			look = strong
		}
		var line strings.Builder
		for j, cell := range cells {
			line.WriteString(pad(p.cut(cell, widths[j]), widths[j]+gap))
		}
		p.out.WriteString(p.paint(look, strings.TrimRight(line.String(), " ")) + "\n")
	}
	return p.flush()
}

// fit shortens the widest columns until the table fits, or all have their least
// width.
func (p *Printer) fit(widths []int) {
	if p.o.Width == 0 {
		return
	}
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > p.o.Width; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if len(widths) == 0 || widths[widest] <= leastColumn {
			return
		}
		widths[widest]--
	}
}
