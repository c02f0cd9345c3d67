package chart

import (
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
)

// clockTicks puts ticks on round times of day.
type clockTicks struct{}

// Ticks implements [plot.Ticker].
func (clockTicks) Ticks(from, to float64) []plot.Tick {
	const most = 7
	step := float64(24 * 3600)
	for _, minutes := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720} {
		if (to-from)/(minutes*60) <= most {
			step = minutes * 60
			break
		}
	}
	format := "15:04"
	if step >= 24*3600 {
		step *= math.Ceil((to - from) / step / most)
		format = "2 Jan"
		if step > 300*24*3600 {
			format = "2006"
		}
	}
	var ticks []plot.Tick
	for at := math.Ceil(from/step) * step; at <= to && len(ticks) <= most; at += step {
		ticks = append(ticks, plot.Tick{Value: at, Label: time.Unix(int64(at), 0).UTC().Format(format)})
	}
	return ticks
}

// valueTicks puts ticks on round values.
type valueTicks struct{}

// Ticks implements [plot.Ticker].
func (valueTicks) Ticks(from, to float64) []plot.Tick {
	const most = 6
	step := math.Pow(10, math.Floor(math.Log10(to-from)))
	for _, part := range []float64{0.1, 0.2, 0.5} {
		if (to-from)/(part*step) <= most {
			step *= part
			break
		}
	}
	var ticks []plot.Tick
	for i := 0; from+float64(i)*step <= to && i <= 2*most; i++ {
		value := from + float64(i)*step
		ticks = append(ticks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'g', 6, 64)})
	}
	return ticks
}
