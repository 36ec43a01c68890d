"""Each peer in the package's table is available wherever attentions are chosen or compared."""
import gpu_report
import pytest
import studies
from contenders import CONTENDERS
from mmengine.registry import MODELS

from dmsca_mm.attention import PEERS
from dmsca_mm.plugins import PLUGINS


@pytest.mark.parametrize('peer', PEERS, ids=lambda peer: peer.name)
def test_peer_of_the_table_is_a_plugin_and_a_contender(peer):
    assert MODELS.get(PLUGINS[peer.name]['cfg']['type']) is peer.operator
    assert isinstance(CONTENDERS[peer.name].operator(16), peer.operator)
    assert CONTENDERS[peer.name].label == peer.label


def test_peers_of_the_plan_are_in_the_study_and_in_the_report_from_a_gpu():
    labels = {peer.name: peer.label for peer in PEERS}
    assert {each.name: each.label for each in studies.ATTENTIONS[1:-1]} == {name: labels[name]
                                                                            for name in studies.COMPARED}
    assert {*studies.COMPARED} < {*gpu_report.FULL.table.contenders}
