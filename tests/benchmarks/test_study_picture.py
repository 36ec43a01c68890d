"""The study's picture marks the differences that are found after the correction."""
import studies
import study_picture
from draw import plt
from study_examples import table_of
from study_statistics import compare


def test_a_difference_is_filled_if_it_is_found_after_the_correction(tmp_path, monkeypatch):
    drawn, errorbar = {}, plt.Axes.errorbar

    def watched(axes, x, y, **options):
        drawn[round(x, 6)] = options['markerfacecolor']
        return errorbar(axes, x, y, **options)

    monkeypatch.setattr(plt.Axes, 'errorbar', watched)
    found = compare(table_of(none=[40, 50, 30], se=[41, 51.1, 31.1], dmsca=[41, 51.5, 32]), studies.STUDIES)
    clean = found[found.quantity == 'clean'].set_index('contender')
    assert clean.p.dmsca < 0.05 < clean.corrected.dmsca
    assert clean.corrected.se < 0.05
    study_picture.picture(found, studies.STUDIES, tmp_path / 'study.png')
    assert drawn[round(clean['mean'].dmsca, 6)] == 'white'
    assert drawn[round(clean['mean'].se, 6)] != 'white'
