"""Our Muon takes torch's steps, but for what bfloat16 loses."""

import copy

import pytest
import torch
from torch import nn

from training.optimizer import Muon, orthogonal

SHAPES = ((16, 48), (48, 16), (24, 24), (16, 48))


def test_it_takes_the_steps_of_torch_s():
    torch.manual_seed(0)
    ours = nn.ParameterList([nn.Parameter(torch.randn(shape)) for shape in SHAPES])
    theirs = copy.deepcopy(ours)
    pairs = (
        (ours, Muon(list(ours), 0.02, 0.9, 0.1)),
        (
            theirs,
            torch.optim.Muon(list(theirs), 0.02, 0.1, 0.9, adjust_lr_fn="match_rms_adamw"),
        ),
    )
    before = [weight.detach().clone() for weight in ours]
    for number in range(4):
        gradients = [torch.randn(shape, generator=torch.Generator().manual_seed(number)) for shape in SHAPES]
        for weights, optimizer in pairs:
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient.clone()
            optimizer.step()
    for mine, other, first in zip(ours, theirs, before, strict=True):
        assert float((mine - other).detach().norm() / (other - first).detach().norm()) < 0.02


def test_matrices_of_a_shape_do_not_mix():
    torch.manual_seed(0)
    several = torch.randn(3, 8, 20)
    alone = torch.cat([orthogonal(several[[row]]) for row in range(3)])
    assert float((orthogonal(several) - alone).abs().max()) < 1e-6


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (12, 12)])
def test_singular_values_end_near_one_and_vectors_stay(shape):
    torch.manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = u @ torch.diag(torch.linspace(0.3, 3, len(s))) @ v
    turned = orthogonal(matrix[None])[0]
    inner = u.T @ turned @ v.T
    assert torch.linalg.svdvals(turned).tolist() == pytest.approx([1.0] * len(s), abs=0.35)
    assert float((inner - torch.diag(inner.diagonal())).abs().max()) < 1e-4


def test_what_has_no_gradient_stays():
    weights = [nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))]
    weights[0].grad = torch.eye(4)
    Muon(weights, 0.1).step()
    assert torch.equal(weights[1], torch.ones(4, 4))
    assert not torch.equal(weights[0], torch.ones(4, 4))
