package term

import (
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Chart is how a rate went, and what happened meanwhile.
type Chart struct {
	// Rates are in bits per second, one for each Every.
	Rates []int64
	Every time.Duration
	// Moments are in the order of time.
	Moments []Moment
}

// Moment is something that happened so long after the chart's beginning.
type Moment struct {
	After time.Duration
	Text  string
}

const (
	// chartRows is how high a chart is, chartWidth how wide where the output has no width.
	chartRows, chartWidth = 8, 80
	// scaleWidth is the width of the rates beside it.
	scaleWidth = 14
)

// Chart shows rates as columns over time. Below it each moment has a letter where it was,
// which is explained after it.
func (p *Printer) Chart(c Chart) error {
	if len(c.Rates) == 0 || c.Every <= 0 {
		return nil
	}
	width := chartWidth
	if p.o.Width > 0 {
		width = p.o.Width
	}
	// Each column is the mean of as many rates as it takes.
	each := (len(c.Rates) + width - scaleWidth - 2) / (width - scaleWidth - 1)
	rates, top := means(c.Rates, each), int64(1)
	for _, r := range rates {
		top = max(top, r)
	}
	top = rounded(top)
	bar, corner, floor := "│", "└", "─"
	if p.o.ASCII {
		bar, corner, floor = "|", "+", "-"
	}
	for row := chartRows; row > 0; row-- {
		p.scale(row, top)
		p.out.WriteString(p.paint(dim, bar))
		var cells strings.Builder
		for _, r := range rates {
			cells.WriteString(p.cell(r, row, top))
		}
		p.out.WriteString(strings.TrimRight(cells.String(), " ") + "\n")
	}
	p.scale(0, top)
	p.out.WriteString(p.paint(dim, corner+strings.Repeat(floor, len(rates))) + "\n")
	p.moments(c, each, len(rates))
	return p.flush()
}

// means are the means of each so many values.
func means(values []int64, each int) []int64 {
	var out []int64
	for at := 0; at < len(values); at += each {
		some := values[at:min(at+each, len(values))]
		var sum int64
		for _, v := range some {
			sum += v
		}
		out = append(out, sum/int64(len(some)))
	}
	return out
}

// rounded is the next round number from v on.
func rounded(v int64) int64 {
	for ten := int64(1); ; ten *= 10 {
		for _, n := range []int64{1, 2, 4, 6, 8} {
			if n*ten >= v {
				return n * ten
			}
		}
	}
}

// scale shows the rate at a row: at the top, in the middle and at the bottom.
func (p *Printer) scale(row int, top int64) {
	text := ""
	if row%(chartRows/2) == 0 {
		text = incident.FormatRate(top * int64(row) / chartRows)
	}
	p.out.WriteString(p.paint(dim, fmt.Sprintf("%*s ", scaleWidth-1, text)))
}

// cell shows how much of a row a rate fills. What is not nothing can be seen.
func (p *Printer) cell(rate int64, row int, top int64) string {
	steps := []rune(" ▁▂▃▄▅▆▇█")
	if p.o.ASCII {
		steps = []rune(" .:#")
	}
	full := int64(len(steps) - 1)
	fills := (rate*chartRows*full + top/2) / top
	if rate > 0 {
		fills = max(fills, 1)
	}
	at := min(max(fills-int64(row-1)*full, 0), full)
	return string(steps[at])
}

// moments shows the letters below their columns, one in each row of those that share a
// column, the times, and what the letters mean.
func (p *Printer) moments(c Chart, each, columns int) {
	at := func(m Moment) int {
		return min(max(int(m.After/c.Every)/each, 0), columns-1)
	}
	var rows [][]rune
	for i, m := range c.Moments {
		row := 0
		for row < len(rows) && rows[row][at(m)] != ' ' {
			row++
		}
		if row == len(rows) {
			rows = append(rows, []rune(strings.Repeat(" ", columns)))
		}
		rows[row][at(m)] = letter(i)
	}
	for _, row := range rows {
		p.out.WriteString(strings.Repeat(" ", scaleWidth+1) + p.paint(strong, strings.TrimRight(string(row), " ")) + "\n")
	}
	for i, m := range c.Moments {
		label := fmt.Sprintf("%c %6s", letter(i), incident.FormatDuration(m.After.Truncate(time.Second)))
		p.field(2, labelWidth, span{label, strong}, span{m.Text, plain}, "")
	}
}

// letter names a moment. A chart with more than the alphabet has ends with its last.
func letter(i int) rune { return rune('a' + min(i, 'z'-'a')) }
