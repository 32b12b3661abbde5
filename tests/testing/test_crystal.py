import numpy as np
import pytest

from daskstem.testing.crystal import (
    LATTICE_ANGSTROM,
    diffracted_shares,
    excitation_errors,
    gold_reflections,
    pattern_angle,
    random_orientations,
    twins_of,
    wavelength_angstrom,
)


@pytest.mark.parametrize(("voltage_kv", "expected"), [(100, 0.03701), (200, 0.02508)])
def test_wavelength_is_the_tabulated_one(voltage_kv: float, expected: float) -> None:
    assert wavelength_angstrom(voltage_kv) == pytest.approx(expected, abs=1e-5)


def test_reflections_are_those_of_a_face_centred_lattice() -> None:
    vectors = gold_reflections(q_max=0.9, voltage_kv=300).vectors
    squares = np.round((vectors * LATTICE_ANGSTROM) ** 2).sum(axis=1).astype(int)
    # {111}, {200}, {220}, {311}, {222} with their multiplicities; {100}, {110}, {210} are absent
    found = dict(zip(*np.unique(squares, return_counts=True), strict=True))
    assert found == {3: 8, 4: 6, 8: 12, 11: 24, 12: 8}


def test_extinction_length_of_gold_is_close_to_the_tabulated_one() -> None:
    reflections = gold_reflections(q_max=0.45, voltage_kv=100)
    # 159 angstrom for {111} in the textbooks, from other scattering factors, without vibration
    assert reflections.extinction_angstrom == pytest.approx(159, rel=0.2)


def test_excitation_error_is_the_distance_from_the_sphere() -> None:
    wavelength = 0.02
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-1, 1, (50, 3)) * (1, 1, 0.05)
    away = np.linalg.norm(vectors + (0, 0, 1 / wavelength), axis=1)
    error = excitation_errors(vectors, wavelength)
    # the formula measures along the diffracted beam and is exact to s^2 / (2 k)
    assert error == pytest.approx(1 / wavelength - away, abs=0.1**2 * wavelength)


def test_no_more_is_diffracted_than_there_is() -> None:
    strong = diffracted_shares(np.zeros(20), np.full(20, 50.0), 200.0)
    weak = diffracted_shares(np.zeros(2), np.full(2, 1e4), 20.0)
    assert 0.99 < strong.sum() <= 1
    assert weak == pytest.approx((np.pi * 20 / 1e4) ** 2, rel=1e-3)
    assert not diffracted_shares(np.zeros(0), np.zeros(0), 10.0).size


def test_orientations_are_rotations_with_a_low_index_zone_near_the_beam() -> None:
    orientations = random_orientations(np.random.default_rng(0), 300)
    product = orientations @ np.swapaxes(orientations, 1, 2)
    assert np.allclose(product, np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(orientations), 1)
    zones = [np.array(z) / np.linalg.norm(z) for z in ((0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))]
    beam = np.sort(np.abs(orientations[:, 2]), axis=1)
    tilt = np.degrees(np.arccos(np.max([beam @ zone for zone in zones], axis=0).clip(max=1)))
    assert tilt.max() < 2.5


def test_a_twin_shares_its_close_packed_plane_and_nothing_else() -> None:
    # zone [01-1], {111} normals in the image
    beam = np.array([0, 1, -1]) / np.sqrt(2)
    across = np.array([1, 0, 0])
    matrix = np.stack([across, np.cross(beam, across), beam])[None]
    twin = twins_of(matrix)
    assert np.degrees(pattern_angle(matrix, twin)) > 20
    axes = np.array([(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]) / np.sqrt(3)
    overlap = np.abs((matrix[0] @ axes.T).T @ (twin[0] @ axes.T))
    assert np.isclose(overlap, 1).sum() == 1


def test_pattern_angle_knows_the_symmetry_of_the_cube_and_of_patterns() -> None:
    identity = np.eye(3)
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    c, s = np.cos(0.2), np.sin(0.2)
    turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    assert pattern_angle(identity, quarter) == pytest.approx(0, abs=1e-7)
    assert pattern_angle(identity, turned @ quarter) == pytest.approx(0.2)
    some = random_orientations(np.random.default_rng(1), 1)[0]
    assert pattern_angle(some, np.diag([-1.0, -1, 1]) @ some) == pytest.approx(0, abs=1e-7)
