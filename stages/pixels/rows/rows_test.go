package rows

import "testing"

// TestDefinitions compares sums with their definitions.
func TestDefinitions(t *testing.T) {
	for n := range 100 {
		rows := [3][]uint8{make([]uint8, n), make([]uint8, n), make([]uint8, n)}
		for y, row := range rows {
			for x := range row {
				row[x] = uint8(x*x*37 + y*91 + x*53)
			}
		}
		sum, squares := 0, 0
		for x := 1; x < n-1; x++ {
			l := int(rows[0][x]) + int(rows[2][x]) + int(rows[1][x-1]) + int(rows[1][x+1]) - 4*int(rows[1][x])
			sum, squares = sum+l, squares+l*l
		}
		if s, q := Laplacian(rows[0], rows[1], rows[2]); s != sum || q != squares {
			t.Errorf("%d pixels: the Laplacian's sums are %d and %d, want %d and %d", n, s, q, sum, squares)
		}
		sum = 0
		for x, v := range rows[0] {
			sum += max(int(v)-int(rows[1][x]), int(rows[1][x])-int(v))
		}
		if d := Difference(rows[0], rows[1]); d != sum {
			t.Errorf("%d pixels: the difference is %d, want %d", n, d, sum)
		}
		var got, want Levels
		for _, row := range rows {
			got.Add(row, 16, 250)
			for _, v := range row {
				want.Sum += int(v)
				want.Squares += int(v) * int(v)
				if v <= 16 {
					want.Low++
				}
				if v >= 250 {
					want.High++
				}
			}
		}
		if got != want {
			t.Errorf("%d pixels: levels are %+v, want %+v", n, got, want)
		}
	}
}
