"""Each peer of the package's table is found wherever attentions are chosen or compared."""
import gpu_report
import pytest
import studies
from contenders import CONTENDERS
from mmengine.registry import MODELS

from dmsca_mm.attention import PEERS
from dmsca_mm.plugins import PLUGINS


@pytest.mark.parametrize('peer', PEERS, ids=lambda peer: peer.name)
def test_peer_of_the_table_is_a_plugin_a_contender_and_a_row_of_the_study(peer):
    assert MODELS.get(PLUGINS[peer.name]['cfg']['type']) is peer.operator
    assert isinstance(CONTENDERS[peer.name].operator(16), peer.operator)
    assert peer.name in gpu_report.FULL.table.contenders
    assert CONTENDERS[peer.name].label == peer.label
    assert {each.name: each.label for each in studies.ATTENTIONS}[peer.name] == peer.label
